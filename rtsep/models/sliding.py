"""Make a separator out of a net that was never meant for streaming: slide a window over the past.

Every hop the net sees the newest W frames and estimates stems for a region near their end:

    | context | fade | hop | look-ahead |        W = context + fade + hop + look-ahead, the end is "now"
              |<- estimate ->|

Context is past that the net may use but that was given out before. Look-ahead is what it has heard beyond the
estimate: quality for latency. Neighbouring estimates overlap by `fade` frames, where the older one fades out
and the newer one in; sin² and cos² add up to one, so agreement passes unchanged. A net that estimates by
overlap-added transforms brings tapered ends along (`tapered`), and then overlap-add is all there is to do.

The frame that leaves first is the first of the faded region: `fade + look-ahead` frames before the newest hop,
so latency = fade + look-ahead. The residual of the mix, taken from the same window, becomes the last stem.
That makes the stems add up whatever the net says, and spends no second net on what is left.

Worked example: context 2048, fade 1024, hop 1024, no look-ahead: W = 4096, latency 1024, heard after 2048.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np

from rtsep.models.separator import Audio, LatencyTerm, SeparatorSpec, State


class Slide(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths of the parts of a window, in frames."""

    context: int
    hop: int
    lookahead: int = 0
    fade: int = 0

    @property
    def window(self) -> int:
        """Frames the net sees at once."""
        return self.context + self.fade + self.hop + self.lookahead

    @property
    def latency_terms(self) -> tuple[LatencyTerm, ...]:
        """What makes up the latency; terms of zero frames are left out."""
        terms = (LatencyTerm("cross-fade", self.fade), LatencyTerm("look-ahead", self.lookahead))
        return tuple(term for term in terms if term.frames)


class WindowNet(Protocol):
    """A net that estimates some stems from a window of the mix."""

    @property
    def tapered(self) -> bool:
        """Whether estimates come with faded ends that overlap-add to one."""
        ...

    def init_state(self) -> State:
        """Return what the net remembers of earlier windows (features, level), after silence."""
        ...

    def estimate(self, window: Audio, state: State) -> Audio:
        """Estimate stems.

        Args:
            window: `[channels, W]`, the newest frames last; not to be changed.
            state: from `init_state`, updated in place.

        Returns:
            `[estimated stems, channels, fade + hop]`: the part of the window named in the module's picture.
        """
        ...


class SlidingSeparator:
    """A `Separator` around a `WindowNet`; the last stem of `spec` is what the estimated ones leave of the mix."""

    def __init__(self, net: WindowNet, slide: Slide, spec: SeparatorSpec) -> None:
        if not net.tapered and slide.fade > slide.hop:
            raise ValueError(f"a cross-fade between two estimates is at most one hop of {slide.hop}, not {slide.fade}")
        self.spec = spec
        self._net = net
        self._slide = slide
        self._fade_in = None if net.tapered else fade_in(slide.fade)

    def init_state(self) -> State:
        """Return the window, the tail of the last estimate and the net's own memory, all silent."""
        channels, slide = self.spec.channels, self._slide
        return {
            "window": np.zeros((channels, slide.window), np.float32),
            "tail": np.zeros((len(self.spec.stems) - 1, channels, slide.fade), np.float32),
            "net": self._net.init_state(),
        }

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        slide, window, tail = self._slide, state["window"], state["tail"]
        window[:, : -slide.hop] = window[:, slide.hop :]
        window[:, -slide.hop :] = mix
        estimate = self._net.estimate(window, state["net"])
        if self._fade_in is not None:
            estimate[..., : slide.fade] *= self._fade_in
            estimate[..., slide.hop :] *= self._fade_in[::-1]
        estimate[..., : slide.fade] += tail
        tail[...] = estimate[..., slide.hop :]
        stems = np.empty((len(self.spec.stems), *mix.shape), np.float32)
        stems[:-1] = estimate[..., : slide.hop]
        np.subtract(window[:, slide.context : slide.context + slide.hop], stems[:-1].sum(axis=0), out=stems[-1])
        return stems


def fade_in(frames: int) -> Audio:
    """Return the rising half of a cross-fade, `[frames]`; with its mirror image it adds up to one."""
    return (np.sin(0.5 * np.pi * (np.arange(frames) + 0.5) / max(frames, 1)) ** 2).astype(np.float32)
