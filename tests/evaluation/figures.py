"""Figures of a tier as they would be measured, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from rtsep.evaluation.load import TierLoad

FIGURES: dict[str, Any] = {field: 0.0 for field in TierLoad.__struct_fields__} | {
    "model": "m",
    "runtime": "onnx",
    "threads": 1,
    "hops": 1000,
    "deadline_ms": 30.0,
    "p99_ms": 10.0,
    "real_time_factor": 0.3,
}


def measured(tier: str, **figures: Any) -> TierLoad:
    """A tier that holds, but for the given figures."""
    return TierLoad(**(FIGURES | {"tier": tier} | figures))
