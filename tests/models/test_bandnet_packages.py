"""The weights that ship: what they say about themselves is true, and both runtimes hear the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtsep import paths
from rtsep.models import bandnet_package as package
from rtsep.models import registry
from rtsep.models.separator import Separator
from tests.models import contract

PACKAGES = sorted(path.parent for path in (paths.DATA / "models").glob("*/model.json"))
TIERS = [tier.name for tier in registry.find("bandnet")[0].tiers]


@pytest.mark.parametrize("where", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_whole_small_and_explains_itself(where: Path) -> None:
    facts = package.read_facts(where)
    package.verified(where, package.WEIGHTS, facts.weights_sha256)
    package.verified(where, package.GRAPH, facts.graph_sha256)
    # "A few MB each", weights and graph: 4 million weights of two bytes, twice.
    assert sum(path.stat().st_size for path in where.iterdir()) < 17e6
    card = (where / package.CARD).read_text()
    assert facts.licence in card
    assert len(facts.sources) > 20
    assert all(source in card for source in facts.sources)
    assert not any("MUSDB" in source for source in facts.sources)


@pytest.mark.parametrize("tier", TIERS)
def test_both_runtimes_give_the_same_stems(tier: str) -> None:
    streams = []
    for runtime in ("onnx", "torch"):
        separator = registry.load("bandnet", tier, runtime=runtime)
        assert isinstance(separator.spec.weights_sha256, str)
        live: Separator = separator  # type: ignore[assignment]
        streams.append(contract.run(live, contract.noise(live, 150)))
    assert np.abs(streams[0] - streams[1]).max() < 1e-5
    levels = np.sqrt(np.mean(streams[0] ** 2, axis=(1, 2)))
    assert (levels > 0.01 * levels.sum()).all()
