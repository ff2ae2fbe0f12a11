"""A GRU over many frames on one CPU core, forward and backward: matrix products by torch, gates by numba.

`nn.GRU` spends half of its time on a dozen small operators per frame. Here a frame is one matrix product and one compiled loop
over its gates, which are computed again on the way back instead of being kept; the gradients of the weights are one product for
all frames. What is kept and multiplied is bfloat16 where the processor multiplies that (`fast_type`), else float32; the state
itself stays in float32. `tools/compare_gru` prints what that gains in time and in exactness.

Equations as in torch (Cho et al. 2014, with the reset gate behind the product): r, z = sigmoid(i + h); n = tanh(i + r h);
new state = n + z (state - n).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from rtsep.models.bandnet import BandNet, SharedGru

Bits = NDArray[np.uint16] | NDArray[np.uint32]
"""Elements of a bfloat16 tensor, the upper halves of float32, or of a float32 tensor."""

ONE, TWO, HALF, QUARTER = np.float32(1.0), np.float32(2.0), np.float32(0.5), np.float32(0.25)
FLAT = np.float32(9.0)
"""From here on tanh is 1 in float32."""
TOP = np.float32(10395.0), np.float32(1260.0), np.float32(21.0)
BOTTOM = np.float32(10395.0), np.float32(4725.0), np.float32(210.0)
"""Padé approximant of tanh of order 5/6, exact in float32 up to about 2."""


@njit(fastmath=True, error_model="numpy", inline="always")
def tanh(x):  # type: ignore[no-untyped-def]
    """Compute tanh to 2e-7 in float32: of a quarter of x, then doubled twice. Nothing branches, so it runs sixteen at a time."""
    x = min(max(x, -FLAT), FLAT) * QUARTER
    s = x * x
    t = x * (TOP[0] + s * (TOP[1] + s * TOP[2])) / (BOTTOM[0] + s * (BOTTOM[1] + s * (BOTTOM[2] + s)))
    t = TWO * t / (ONE + t * t)
    return TWO * t / (ONE + t * t)


@njit(fastmath=True, error_model="numpy", inline="always")
def sigmoid(x):  # type: ignore[no-untyped-def]
    """Compute the logistic function."""
    return HALF + HALF * tanh(HALF * x)


@njit(inline="always")
def dropped(stored):  # type: ignore[no-untyped-def]
    """Count the lower bits of a float32 that `stored: Bits` leaves out, 16 or 0, and half of their range, to round by."""
    count = np.uint32(32 - 8 * stored.itemsize)
    return count, (np.uint32(1) << count) >> np.uint32(1)


@njit(cache=True, fastmath=True, error_model="numpy")
def forward_gates(of_input, of_state, state, new):  # type: ignore[no-untyped-def]
    """One frame.

    `of_input` and `of_state` `[rows, 3 * hidden]` are what input and state give to reset, keep and proposal. `state`, a float32
    `[rows, hidden]`, is updated in place; `new` gets it too. All but `state` are `Bits`.
    """
    rows, hidden = state.shape
    left_out, rounding = dropped(new)
    i_bits, s_bits, out = np.empty(3 * hidden, np.uint32), np.empty(3 * hidden, np.uint32), np.empty(hidden, np.float32)
    i, s, out_bits = i_bits.view(np.float32), s_bits.view(np.float32), out.view(np.uint32)
    for row in range(rows):
        for j in range(3 * hidden):
            i_bits[j] = np.uint32(of_input[row, j]) << left_out
            s_bits[j] = np.uint32(of_state[row, j]) << left_out
        for j in range(hidden):
            reset, keep = sigmoid(i[j] + s[j]), sigmoid(i[hidden + j] + s[hidden + j])
            proposal = tanh(i[2 * hidden + j] + reset * s[2 * hidden + j])
            out[j] = proposal + keep * (state[row, j] - proposal)
            state[row, j] = out[j]
        for j in range(hidden):
            new[row, j] = (out_bits[j] + rounding) >> left_out


@njit(cache=True, fastmath=True, error_model="numpy")
def backward_gates(of_input, of_state, before, above, ahead, carry, to_input, to_state, to_biases):  # type: ignore[no-untyped-def]
    """One frame on the way back.

    `of_input` and `of_state` as in `forward_gates`, with the state `before` this frame. All others are gradients: `above` of this
    frame's output, `ahead` what the next frame's product gives to the state and `carry` (float32) what its keep gate did, this
    frame's in return; `to_input` and `to_state` of the first two. To `to_biases` `[4 * hidden]` (float32) those of the biases are
    added: reset, keep, proposal by the input, proposal by the state.
    """
    rows, hidden = carry.shape
    left_out, rounding = dropped(to_input)
    i_bits, s_bits = np.empty(3 * hidden, np.uint32), np.empty(3 * hidden, np.uint32)
    i, s = i_bits.view(np.float32), s_bits.view(np.float32)
    b_bits, u_bits, a_bits = np.empty(hidden, np.uint32), np.empty(hidden, np.uint32), np.empty(hidden, np.uint32)
    b, u, a = b_bits.view(np.float32), u_bits.view(np.float32), a_bits.view(np.float32)
    g = np.empty(4 * hidden, np.float32)
    g_bits = g.view(np.uint32)
    for row in range(rows):
        for j in range(3 * hidden):
            i_bits[j] = np.uint32(of_input[row, j]) << left_out
            s_bits[j] = np.uint32(of_state[row, j]) << left_out
        for j in range(hidden):
            b_bits[j] = np.uint32(before[row, j]) << left_out
            u_bits[j] = np.uint32(above[row, j]) << left_out
            a_bits[j] = np.uint32(ahead[row, j]) << left_out
        for j in range(hidden):
            reset, keep = sigmoid(i[j] + s[j]), sigmoid(i[hidden + j] + s[hidden + j])
            recalled = s[2 * hidden + j]
            proposal = tanh(i[2 * hidden + j] + reset * recalled)
            gradient = carry[row, j] + u[j] + a[j]
            carry[row, j] = gradient * keep
            of_proposal = gradient * (ONE - keep) * (ONE - proposal * proposal)
            g[j] = of_proposal * recalled * reset * (ONE - reset)
            g[hidden + j] = gradient * (b[j] - proposal) * keep * (ONE - keep)
            g[2 * hidden + j] = of_proposal
            g[3 * hidden + j] = of_proposal * reset
        for j in range(4 * hidden):
            to_biases[j] += g[j]
        for j in range(3 * hidden):
            to_input[row, j] = (g_bits[j] + rounding) >> left_out
        for j in range(2 * hidden):
            to_state[row, j] = to_input[row, j]
        for j in range(hidden):
            to_state[row, 2 * hidden + j] = (g_bits[3 * hidden + j] + rounding) >> left_out


def bits(tensor: Tensor) -> Bits:
    """View a tensor as what numba can work on."""
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(np.uint16)
    return tensor.detach().numpy().view(np.uint32)


class GruScan(torch.autograd.Function):
    """An `nn.GRU` with its weights as arguments: `x: [rows, frames, width]` and `state: [rows, hidden]` as in `SharedGru`.

    Output and products are of type `kind`. The state that comes in gets no gradient: chunks are trained one by one.
    """

    @staticmethod
    def forward(
        ctx: Any, kind: torch.dtype, x: Tensor, state: Tensor, w_input: Tensor, w_state: Tensor, b_input: Tensor, b_state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return `[rows, frames, hidden]` and the new state."""
        rows, frames, width = x.shape
        hidden = w_state.shape[1]
        w_input, w_state, b_input, b_state = (t.to(kind) for t in (w_input, w_state, b_input, b_state))
        x = frame_by_frame(x, kind)
        of_input = torch.addmm(b_input, x.view(frames * rows, width), w_input.t()).view(frames, rows, 3 * hidden)
        of_state = torch.empty_like(of_input)
        states = torch.empty(frames + 1, rows, hidden, dtype=kind)
        states[0] = state
        last = state.detach().float().clone(memory_format=torch.contiguous_format)
        i, s, h, last_array = bits(of_input), bits(of_state), bits(states), last.numpy()
        to_gates = w_state.t()
        for frame in range(frames):
            torch.addmm(b_state, states[frame], to_gates, out=of_state[frame])
            forward_gates(i[frame], s[frame], last_array, h[frame + 1])
        ctx.save_for_backward(x, of_input, of_state, states, w_input, w_state)
        ctx.mark_non_differentiable(last)
        return states[1:].transpose(0, 1), last

    @staticmethod
    def backward(ctx: Any, above: Tensor, _last: Tensor) -> tuple[Tensor | None, ...]:
        """Return a gradient per argument."""
        x, of_input, of_state, states, w_input, w_state = ctx.saved_tensors
        frames, rows, width = x.shape
        hidden = w_state.shape[1]
        above = frame_by_frame(above, x.dtype)
        to_input, to_state = torch.empty_like(of_input), torch.empty_like(of_state)
        carry, to_biases = torch.zeros(rows, hidden), torch.zeros(4 * hidden)
        ahead = torch.zeros(rows, hidden, dtype=x.dtype)
        i, s, h, u, a = bits(of_input), bits(of_state), bits(states), bits(above), bits(ahead)
        gi, gs, carry_array, biases = bits(to_input), bits(to_state), carry.numpy(), to_biases.numpy()
        for frame in range(frames - 1, -1, -1):
            backward_gates(i[frame], s[frame], h[frame], u[frame], a, carry_array, gi[frame], gs[frame], biases)
            torch.mm(to_state[frame], w_state, out=ahead)
        flat, flat_state = to_input.view(frames * rows, -1), to_state.view(frames * rows, -1)
        return (
            None,
            (flat @ w_input).view(frames, rows, width).transpose(0, 1),
            None,
            (flat.t() @ x.view(frames * rows, width)).float(),
            (flat_state.t() @ states[:-1].view(frames * rows, hidden)).float(),
            to_biases[: 3 * hidden].clone(),
            torch.cat((to_biases[: 2 * hidden], to_biases[3 * hidden :])),
        )


def frame_by_frame(x: Tensor, kind: torch.dtype) -> Tensor:
    """Change `[rows, frames, width]` to `[frames, rows, width]` of type `kind`: each frame one piece of memory."""
    return x.transpose(0, 1).to(kind).contiguous()


def fast_type() -> torch.dtype:
    """Return bfloat16 if this processor multiplies it; others only pretend to, twenty times slower than they multiply float32."""
    able = any(value for name, value in torch.cpu.get_capabilities().items() if name.endswith("bf16"))
    return torch.bfloat16 if able else torch.float32


@torch.compiler.disable  # type: ignore[untyped-decorator]
def scan(gru: nn.GRU, x: Tensor, state: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Do what `gru` does, see `GruScan`."""
    output, last = GruScan.apply(kind, x, state, *gru.all_weights[0])  # type: ignore[no-untyped-call]
    return output, last


def use_scan(net: BandNet, kind: torch.dtype) -> None:
    """Let a network on a CPU train with `scan`."""
    for module in net.modules():
        if isinstance(module, SharedGru):
            module.scan = functools.partial(scan, kind=kind)
