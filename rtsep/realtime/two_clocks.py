"""Input and output on devices of their own: two quartzes, never quite equal, kept together without losing a frame.

The input's callback writes into a ring, the output's callback reads it through a band-limited interpolator (Smith and Gossett,
ICASSP 1984: a table of windowed sincs, 32 taps, linear between 256 phases) whose step is 1 + r. The ring's fill, averaged over
four seconds because it jumps by whole blocks, steers r: a PI controller with a time constant of 20 s, critically damped. r
changes by at most 50 ppm per second, which nobody hears as pitch. Audio threads only.

    r = kp e + ki Σ e dt,   kp = 1 / (20 s · rate),   ki = kp / 80 s      (e: averaged fill - target, frames)

Worked example, 300 ppm at 48 kHz: 14.4 frames per second too many; r reaches 3e-4 within half a minute, the fill returns to its
target. Blocks of both sides beat against each other (256 frames every 18 s here), so r breathes by up to 100 ppm around that.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types
from numpy.typing import NDArray

from rtsep.realtime.atomics import as_float32, as_float64, load_acquire, store_release

CHANNELS = 2
CAPACITY = 1 << 16
TAPS = 32
PHASES = 256
RESERVE = 256
"""Frames of fill that drift may use up before the controller has it."""

WORDS = 32
W_RING, W_STATE, W_TABLE = 0, 1, 2  # addresses
W_RATE = 3
W_WIDTH = 4  # channels of the input device
W_FIRST, W_SECOND = 5, 6  # which of them are left and right
W_TARGET = 8  # output thread: fill to keep, 0 until it is known
W_LOCKED = 9  # output thread
W_SLIPS = 10  # output thread: times that frames were lost or missing
W_LONGEST_OUT = 11  # output thread
W_LOST_AT = 12  # output thread: frames written when the lock was lost
W_WRITTEN = 16  # input thread
W_LONGEST_IN = 17  # input thread

STATE = 8
S_POSITION, S_RATIO, S_MEAN, S_INTEGRAL = 0, 1, 2, 3

_MEAN_S = 4.0
_PROPORTIONAL_S = 20.0
_INTEGRAL_S = 80.0
_LARGEST_RATIO = 2e-3
_SLEW_PER_S = 50e-6


def _kernel() -> NDArray[np.float32]:
    """Windowed sincs, `[PHASES + 1, TAPS]`: row p interpolates p / PHASES behind the tap before the middle."""
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    distance = np.arange(TAPS)[None, :] - (TAPS // 2 - 1) - phase
    window = np.i0(9.0 * np.sqrt(np.maximum(0.0, 1.0 - (distance / (TAPS // 2)) ** 2))) / np.i0(9.0)
    table = np.sinc(distance) * window
    return np.ascontiguousarray(table / table.sum(axis=1, keepdims=True), np.float32)


class TwoClocks:
    """Memory of the bridge between two clocks. Keep it alive as long as a callback may run."""

    def __init__(self, rate: int, *, width: int = 2, channels: tuple[int, int] = (0, 1)) -> None:
        """Lay it out.

        Args:
            rate: nominal Hz of both devices.
            width: channels of the input device.
            channels: which of them become left and right.
        """
        self.words: NDArray[np.int64] = np.zeros(WORDS, np.int64)
        self.state: NDArray[np.float64] = np.zeros(STATE, np.float64)
        self._ring: NDArray[np.float32] = np.zeros((CHANNELS, CAPACITY), np.float32)
        self._table = _kernel()
        self.words[W_RING] = self._ring.ctypes.data
        self.words[W_STATE] = self.state.ctypes.data
        self.words[W_TABLE] = self._table.ctypes.data
        self.words[W_RATE] = rate
        self.words[W_WIDTH] = width
        self.words[W_FIRST], self.words[W_SECOND] = channels

    @property
    def delay(self) -> int:
        """Frames from the newest that the input has handed over to the one that is played; 0 before both have run."""
        target = int(self.words[W_TARGET])
        return target - TAPS // 2 + 1 if target else 0

    @property
    def drift_ppm(self) -> float:
        """How much faster the input runs than the output."""
        return float(self.state[S_RATIO] * 1e6)

    @property
    def slips(self) -> int:
        """Times that frames were lost or missing."""
        return int(self.words[W_SLIPS])


@njit(nogil=True, error_model="numpy", cache=True)
def steer(state, target, fill, n, rate):  # type: ignore[no-untyped-def]
    """Update the ratio after a look at the ring's fill, n frames after the last look."""
    seconds = n / rate
    state[S_MEAN] += (fill - target - state[S_MEAN]) * seconds / (_MEAN_S + seconds)
    proportional = 1.0 / (_PROPORTIONAL_S * rate)
    wanted = min(_LARGEST_RATIO, max(-_LARGEST_RATIO, proportional * state[S_MEAN] + state[S_INTEGRAL]))
    slew = _SLEW_PER_S * seconds
    state[S_RATIO] += min(slew, max(-slew, wanted - state[S_RATIO]))
    state[S_INTEGRAL] += proportional / _INTEGRAL_S * state[S_MEAN] * seconds


@njit(nogil=True, error_model="numpy", cache=True)
def capture(words, source, n):  # type: ignore[no-untyped-def]
    """Write n interleaved frames of the input device into the ring. Input thread."""
    ring = carray(as_float32(words[W_RING]), (CHANNELS, CAPACITY))
    width, start = words[W_WIDTH], words[W_WRITTEN]
    for k in range(n):
        ring[0, (start + k) & (CAPACITY - 1)] = source[k * width + words[W_FIRST]]
        ring[1, (start + k) & (CAPACITY - 1)] = source[k * width + words[W_SECOND]]
    words[W_LONGEST_IN] = max(words[W_LONGEST_IN], n)
    store_release(words, W_WRITTEN, start + n)


@njit(nogil=True, error_model="numpy", cache=True)
def _lock(words, state, written):  # type: ignore[no-untyped-def]
    """Begin to read at the target's distance, once a tenth of a second has shown how long the blocks are."""
    fresh = written - words[W_LOST_AT]
    if fresh < words[W_RATE] // 10:
        return
    words[W_TARGET] = words[W_LONGEST_IN] + words[W_LONGEST_OUT] + RESERVE + TAPS
    if fresh >= words[W_TARGET]:
        state[S_POSITION] = written - words[W_TARGET]
        state[S_MEAN] = 0.0
        words[W_LOCKED] = 1


@njit(nogil=True, error_model="numpy", cache=True)
def deliver(words, ins, n):  # type: ignore[no-untyped-def]
    """Fill `ins[:, :n]` with n frames in the output's time; silence while there is nothing to keep up with. Output thread."""
    state = carray(as_float64(words[W_STATE]), STATE)
    ring = carray(as_float32(words[W_RING]), (CHANNELS, CAPACITY))
    table = carray(as_float32(words[W_TABLE]), (PHASES + 1, TAPS))
    words[W_LONGEST_OUT] = max(words[W_LONGEST_OUT], n)
    written = load_acquire(words, W_WRITTEN)
    if words[W_LOCKED] == 0:
        _lock(words, state, written)
    if words[W_LOCKED] == 1:
        fill = written - state[S_POSITION]
        steer(state, words[W_TARGET], fill, n, words[W_RATE])
        if fill < n * (1.0 + state[S_RATIO]) + TAPS or fill > CAPACITY - 2 * words[W_LONGEST_IN]:
            words[W_LOCKED] = 0
            words[W_LOST_AT] = written
            words[W_SLIPS] += 1
    if words[W_LOCKED] == 0:
        for c in range(CHANNELS):
            for k in range(n):
                ins[c, k] = np.float32(0)
        return
    step = 1.0 + state[S_RATIO]
    for k in range(n):
        position = state[S_POSITION] + k * step
        first = np.int64(position)
        phase = np.float32(position - first) * np.float32(PHASES)
        row = np.int64(phase)
        between = phase - np.float32(row)
        left, right = np.float32(0), np.float32(0)
        for i in range(TAPS):
            weight = table[row, i] + between * (table[row + 1, i] - table[row, i])
            at = (first + i) & (CAPACITY - 1)
            left += weight * ring[0, at]
            right += weight * ring[1, at]
        ins[0, k], ins[1, k] = left, right
    state[S_POSITION] += n * step


@cfunc(
    types.int32(
        types.CPointer(types.float32),
        types.CPointer(types.float32),
        types.uint64,
        types.CPointer(types.float64),
        types.uint64,
        types.CPointer(types.int64),
    ),
    error_model="numpy",
    cache=True,
)
def portaudio_capture(source, _sink, frames, _times, _flags, context):  # type: ignore[no-untyped-def]
    """PaStreamCallback of an input stream; the argument is the address of the bridge's words."""
    words = carray(context, WORDS)
    n = np.int64(frames)
    capture(words, carray(source, n * words[W_WIDTH]), n)
    return np.int32(0)
