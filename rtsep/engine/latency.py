"""Where every frame of delay comes from: named terms that are added up here and nowhere else.

With hop H, host block n and g = gcd(H, n): hop j is complete at input frame (j + 1)H, and the model hears of it at the end of the
block that contains that frame, at most n - g frames later. With a schedule of S frames, its first stem frame is due in the block
that ends after jH + S, at least g frames after that point. The model therefore has at least

    (jH + S + g) - ((j + 1)H + n - g) = S - H - n + 2g

frames to compute. `S = 2H + n - g` leaves it H + g frames, never less than a hop, for any block size; if n divides H, S = 2H.

Worked example: H = 1024, n = 256: g = 256, S = 2048, and 1280 frames (29 ms at 44.1 kHz) remain for a hop of 23 ms.
"""

from __future__ import annotations

import math

import msgspec

from rtsep.models.separator import LatencyTerm, SeparatorSpec
from rtsep.units import frames_to_ms


def schedule(hop: int, block: int) -> int:
    """Frames from a hop's first input frame to the moment at which its result is due.

    Args:
        hop: frames per model step.
        block: frames per host callback.
    """
    return 2 * hop + block - math.gcd(hop, block)


def compute_budget(hop: int, block: int) -> int:
    """Frames that the model has for one hop under `schedule`."""
    return hop + math.gcd(hop, block)


class LatencyBudget(msgspec.Struct, frozen=True):
    """Every term of the delay from input to output, in frames at `rate` Hz."""

    rate: int
    terms: tuple[LatencyTerm, ...]
    """What rtsep itself delays by; their sum is what is reported to a host."""
    device_terms: tuple[LatencyTerm, ...] = ()
    """What devices and drivers add, as far as they say."""

    @property
    def frames(self) -> int:
        """Latency from input to output port."""
        return sum(term.frames for term in self.terms)

    @property
    def total_frames(self) -> int:
        """Latency from the converter's input to its output."""
        return self.frames + sum(term.frames for term in self.device_terms)

    def rows(self) -> list[tuple[str, int]]:
        """Names and frames: the terms, then the sums."""
        rows = [(term.name, term.frames) for term in self.terms]
        rows.append(("rtsep, input to output", self.frames))
        if self.device_terms:
            rows += [(term.name, term.frames) for term in self.device_terms]
            rows.append(("from converter to converter", self.total_frames))
        return rows

    def lines(self) -> list[str]:
        """The budget as text, in columns."""
        rows = self.rows()
        width = max(len(name) for name, _ in rows) + 1
        return [f"{name:<{width}}{frames:>6} frames {frames_to_ms(frames, self.rate):>7.1f} ms" for name, frames in rows]


def live_budget(
    spec: SeparatorSpec, block: int, device_terms: tuple[LatencyTerm, ...] = (), *, reserve: int = 0
) -> LatencyBudget:
    """Latency of a separator behind a device or host.

    Args:
        spec: the separator at the device's rate.
        block: frames per host callback.
        device_terms: delays outside rtsep.
        reserve: frames of delay beyond what the schedule needs: time for a slow model, or to keep the latency as it was.
    """
    terms = (
        *spec.latency_terms,
        LatencyTerm("hop to fill", spec.hop),
        LatencyTerm("time to compute", schedule(spec.hop, block) - spec.hop),
        *((LatencyTerm("time in reserve", reserve),) if reserve else ()),
    )
    return LatencyBudget(spec.rate, terms, device_terms)
