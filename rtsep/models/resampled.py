"""A separator at a rate that is not its own: resample, separate, resample back, and declare the delay to the frame.

Let r = device rate / model rate, H the model's hop, d its latency, N the device frames that resampling in looks ahead,
N' the model frames that resampling out looks ahead, and h the device hop. After a step, E device frames have come.

* Model frames m with floor(m r) + N <= E - 1 are known: more than (E - 1 - N) / r of them.
* Whole hops only: the model has been given at least that many less H - 1.
* It has separated all but d of these; device frame n needs model frames up to floor(n / r) + N'.

So every n <= E - 1 - N - r (H + d + N') is known, and this step must give n = E - h - D … E - 1 - D. Hence

    D = ceil(N + r (H + d + N'))

is enough at every step, whatever the rates, and is what this separator declares. The hop h = floor(r H) holds no more
than H model frames, so at most one model step falls into each step and the load stays even.

Worked example: 48 kHz, H = d = 1024, N = 27, N' = 24: r = 1.0884, D = ceil(27 + 1.0884 * 2072) = 2283, h = 1114.
That is 47.6 ms where the model itself has 23.2: the two filters cost 1.1 ms, and a whole hop goes into waiting,
because hops of the two rates do not end together. Where it can be chosen, the device should run at the model's rate.

The last stem is the delayed mix less the others: what resampling cannot carry (the top of the spectrum, 10^-5 of
ripple) stays audible there, and the stems add up as exactly as if nothing had been resampled.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from rtsep.dsp.resample import Resampler, reach
from rtsep.errors import ModelError
from rtsep.models.separator import Audio, LatencyTerm, Separator, SeparatorSpec, State, WholeFileSeparator

BLOCK = 1 << 15
"""Frames of a file resampled at a time; the windows around them take fifty to two hundred times as much memory."""

RATES = (8000, 192000)
"""Lowest and highest rate of a device, Hz."""


def resampled_spec(spec: SeparatorSpec, rate: int, *, whole_file: bool = False) -> SeparatorSpec:
    """Return what a separator promises at another rate.

    Args:
        spec: at the model's own rate.
        rate: Hz.
        whole_file: it is a `WholeFileSeparator`, which has no latency at any rate.

    Raises:
        ModelError: no device has such a rate.
    """
    if rate == spec.rate:
        return spec
    if not RATES[0] <= rate <= RATES[1]:
        raise ModelError(f"A rate of {rate} Hz is not possible; rtsep takes {RATES[0]} to {RATES[1]} Hz.")
    ratio = Fraction(rate, spec.rate)
    return SeparatorSpec(
        name=spec.name,
        tier=spec.tier,
        rate=rate,
        hop=math.floor(ratio * spec.hop),
        stems=spec.stems,
        latency_terms=() if whole_file else _latency_terms(spec, ratio),
        licence=spec.licence,
        weights_sha256=spec.weights_sha256,
        channels=spec.channels,
    )


def _latency_terms(spec: SeparatorSpec, ratio: Fraction) -> tuple[LatencyTerm, ...]:
    """Spread D over its causes. Each running sum is rounded up, so the terms add up to D exactly."""
    causes = [
        ("resampling in", Fraction(reach(ratio.numerator, ratio.denominator))),
        ("filling the model's hop", ratio * spec.hop),
        *((term.name, ratio * term.frames) for term in spec.latency_terms),
        ("resampling out", ratio * reach(ratio.denominator, ratio.numerator)),
    ]
    terms, total = [], Fraction(0)
    for name, exact in causes:
        terms.append(LatencyTerm(name, math.ceil(total + exact) - math.ceil(total)))
        total += exact
    return tuple(terms)


class ResampledSeparator:
    """A `Separator` at the device's rate around one at the model's."""

    def __init__(self, inner: Separator, rate: int) -> None:
        self.spec = resampled_spec(inner.spec, rate)
        self._inner = inner
        self._down = Resampler(rate, inner.spec.rate)
        self._up = Resampler(inner.spec.rate, rate)

    def init_state(self) -> State:
        """Return the state after silence: both resamplers, the mix delayed by D, and D frames ready to be given."""
        inner, channels = self._inner.spec, self.spec.channels
        others = len(inner.stems) - 1
        return {
            "down": self._down.init_state((channels,)),
            "waiting": np.zeros((channels, 0), np.float32),
            "inner": self._inner.init_state(),
            # Frame j of the model's output belongs to frame j - d of its input: the first one has the time -d.
            "up": self._up.init_state((others, channels), start=-inner.latency),
            "ready": np.zeros((others, channels, self.spec.latency), np.float32),
            "delay": np.zeros((channels, self.spec.latency), np.float32),
        }

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        hop, inner_hop = self.spec.hop, self._inner.spec.hop
        waiting = np.concatenate([state["waiting"], self._down.push(mix, state["down"])], axis=-1)
        if waiting.shape[-1] >= inner_hop:
            stems = self._inner.step(waiting[:, :inner_hop], state["inner"])
            more = self._up.push(stems[:-1], state["up"])
            state["ready"] = np.concatenate([state["ready"], more], axis=-1)
            waiting = waiting[:, inner_hop:]
        state["waiting"] = waiting
        others = state["ready"][..., :hop]
        state["ready"] = state["ready"][..., hop:]
        delayed = np.concatenate([state["delay"], mix], axis=-1)
        state["delay"] = delayed[:, hop:]
        return with_residual(others, delayed[:, :hop])


class ResampledFile:
    """A `WholeFileSeparator` at the file's rate around one at the model's."""

    def __init__(self, inner: WholeFileSeparator, rate: int) -> None:
        self.spec = resampled_spec(inner.spec, rate, whole_file=True)
        self._inner = inner
        self._down = Resampler(rate, inner.spec.rate)
        self._up = Resampler(inner.spec.rate, rate)

    def separate(self, mix: Audio) -> Audio:
        """Return `[stems, channels, frames]` of `mix: [channels, frames]`."""
        frames = mix.shape[-1]
        needed = -(-frames * self._inner.spec.rate // self.spec.rate) + self._up.reach
        stems = self._inner.separate(resample_all(self._down, mix, needed))
        return with_residual(resample_all(self._up, stems[:-1], frames), mix)


def resample_all(resampler: Resampler, signal: Audio, frames: int) -> Audio:
    """Return the first `frames` output frames of a signal that silence follows."""
    state = resampler.init_state(signal.shape[:-1])
    last = -(-frames * resampler.numerator // resampler.denominator) + resampler.reach  # input that is looked at
    parts = [resampler.push(signal[..., start : start + BLOCK], state) for start in range(0, signal.shape[-1], BLOCK)]
    parts.append(resampler.push(np.zeros((*signal.shape[:-1], last), np.float32), state))
    return np.concatenate(parts, axis=-1)[..., :frames]


def with_residual(others: Audio, mix: Audio) -> Audio:
    """Return `others: [stems - 1, channels, frames]` with what they leave of `mix: [channels, frames]` as last stem."""
    stems = np.empty((len(others) + 1, *mix.shape), np.float32)
    stems[:-1] = others
    np.subtract(mix, others.sum(axis=0), out=stems[-1])
    return stems
