"""What a running engine counts, read without disturbing it."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.engine.supervisor import Supervisor
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one moment. Hop times are in milliseconds, memory in megabytes."""

    state: str
    """`separated`, `dry`, or the model process's condition when it is not running."""
    reason: str
    seconds: float
    cycles: int
    hops: int
    late_hops: int
    dry_seconds: float
    bad_hops: int
    bad_input: int
    resyncs: int
    restarts: int
    xruns: int
    starved_frames: int
    midi_events: int
    hop_ms: float
    hop_p50_ms: float
    hop_p99_ms: float
    hop_max_ms: float
    model_mb: float

    @property
    def load(self) -> float:
        """Median computation time of a hop as a share of its duration."""
        return self.hop_p50_ms / self.hop_ms


def percentile_ms(histogram: NDArray[np.int64], share: float) -> float:
    """Hop time below which `share` of the hops lie: the upper edge of its histogram bin, in ms; 0 before the first hop."""
    total = int(histogram.sum())
    if total == 0:
        return 0.0
    bin_number = int(np.searchsorted(np.cumsum(histogram), share * total))
    return float(at.HISTOGRAM_FIRST_NS * at.HISTOGRAM_RATIO ** (bin_number + 1) / 1e6)


def snapshot(segment: Segment, supervisor: Supervisor) -> Snapshot:
    """Read every counter of an engine."""
    header = segment.header
    rate = int(header[at.RATE])
    histogram = header[at.HISTOGRAM : at.HISTOGRAM + at.HISTOGRAM_BINS].copy()
    running = supervisor.state.value == "running"
    heard = "separated" if header[at.SEPARATED] else "dry"
    longest = float(header[at.HOP_NS_MAX]) / 1e6
    return Snapshot(
        state=heard if running else supervisor.state.value,
        reason=supervisor.reason,
        seconds=float(header[at.OUT_POS]) / rate,
        cycles=int(header[at.CYCLES]),
        hops=int(header[at.HOPS]),
        late_hops=int(header[at.LATE_HOPS]),
        dry_seconds=float(header[at.DRY_FRAMES]) / rate,
        bad_hops=int(header[at.BAD_HOPS]),
        bad_input=int(header[at.BAD_INPUT]),
        resyncs=int(header[at.RESYNCS]),
        restarts=supervisor.restarts,
        xruns=int(header[at.XRUNS]),
        starved_frames=int(header[at.STARVED]),
        midi_events=int(header[at.MIDI_EVENTS]),
        hop_ms=1000.0 * int(header[at.HOP]) / rate,
        hop_p50_ms=min(longest, percentile_ms(histogram, 0.5)),
        hop_p99_ms=min(longest, percentile_ms(histogram, 0.99)),
        hop_max_ms=longest,
        model_mb=float(header[at.RESIDENT_KB]) / 1024,
    )
