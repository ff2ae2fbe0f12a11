"""The compiled GRU scan against torch's own GRU in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from rtsep.training import gru_scan

ROWS, FRAMES, WIDTH, HIDDEN = 6, 40, 24, 32

KINDS = {torch.bfloat16: 2.0**-7, torch.float32: 1e-5}
"""By how much products of such numbers differ at most, relative to the whole."""


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def runs() -> dict[torch.dtype | None, list[torch.Tensor]]:
    """Output, last state and all gradients, of torch and of the scan by type."""
    torch.manual_seed(0)
    gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
    x, state = torch.randn(ROWS, FRAMES, WIDTH), 0.5 * torch.randn(ROWS, HIDDEN)
    direction = torch.randn(ROWS, FRAMES, HIDDEN)
    found = {}
    for kind in (None, *KINDS):
        leaf = x.clone().requires_grad_()
        y, last = gru_scan.scan(gru, leaf, state, kind) if kind else gru(leaf, state[None])
        (y.float() * direction).sum().backward()
        found[kind] = [y.detach(), last.detach().reshape(ROWS, HIDDEN), leaf.grad, *(p.grad for p in gru.parameters())]
        gru.zero_grad()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", range(7), ids=["output", "state", "x", "w_input", "w_state", "b_input", "b_state"])
def test_the_scan_is_the_gru_of_torch(runs: dict[torch.dtype | None, list[torch.Tensor]], index: int, kind: torch.dtype) -> None:
    assert difference(runs[kind][index], runs[None][index]) < KINDS[kind]


def test_tanh_is_tanh() -> None:
    x = np.linspace(-20.0, 20.0, 4001).astype(np.float32)
    assert max(abs(float(gru_scan.tanh(value)) - np.tanh(float(value))) for value in x) < 4e-7


@pytest.mark.parametrize("kind", KINDS)
def test_one_long_scan_is_two_short_ones(kind: torch.dtype) -> None:
    torch.manual_seed(1)
    gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
    x, state = torch.randn(ROWS, FRAMES, WIDTH), torch.zeros(ROWS, HIDDEN)
    whole, last = gru_scan.scan(gru, x, state, kind)
    first, between = gru_scan.scan(gru, x[:, :17], state, kind)
    second, end = gru_scan.scan(gru, x[:, 17:], between, kind)
    assert torch.equal(torch.cat((first, second), 1), whole)
    assert torch.equal(end, last)


def test_processors_without_bfloat16_are_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, kind in ((False, torch.float32), (True, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: {"avx2": True, "avx512_bf16": able, "cpu_name": "x"})
        assert gru_scan.fast_type() is kind
