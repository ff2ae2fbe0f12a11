"""Two or more processes that train one model: each has its own lanes, gradients are summed over gloo.

On a CPU, processes with one thread each beat threads: OpenMP barriers stall as soon as anything else wants a core. With as many
lanes in total, any number of processes computes the same updates, up to rounding.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn


class Group:
    """The processes of a run; with one process nothing is sent."""

    def __init__(self, rank: int = 0, size: int = 1, rendezvous: Path | None = None) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            distributed.init_process_group(
                "gloo",
                init_method=f"file://{rendezvous}",
                rank=rank,
                world_size=size,
                timeout=datetime.timedelta(hours=2),
            )

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1:
            distributed.destroy_process_group()

    def share(self, items: Sequence[Any]) -> list[Any]:
        """Return the items that this process works on: every `size`-th."""
        return list(items[self.rank :: self.size])

    def average(self, parameters: Iterable[nn.Parameter], extras: Sequence[float]) -> list[float]:
        """Average the gradients of all processes in place, and with them some numbers.

        Args:
            parameters: those of the model, all with gradients.
            extras: figures to average (losses, flags), the same count in every process.

        Returns:
            The averaged extras.
        """
        if self.size == 1:
            return list(extras)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients] + [torch.tensor(extras, dtype=torch.float32)])
        distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        averaged: list[float] = flat[start:].tolist()
        return averaged

    def gather(self, value: Any) -> list[Any]:
        """Return every process's value, in the order of ranks, to every process."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


def flat_norm(gradients: Iterable[Tensor]) -> float:
    """Euclidean norm over all gradients."""
    return float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])))
