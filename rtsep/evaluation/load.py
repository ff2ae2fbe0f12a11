"""How a tier holds on this machine: the real engine, in real time, on a device of our own, its own figures read out.

A hop has a deadline: the frames between hearing its last frame and playing its first one (`engine.latency.compute_budget`).
The tier *holds* if hardly a hop comes near it, is *tight* if some do, and is *too slow* if the dry mix would be heard again and
again.

The input is noise with the spectrum of music (-3 dB per octave), so that no model can take the short cut of silence.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.engine.latency import compute_budget
from rtsep.engine.session import Engine
from rtsep.engine.stats import percentile_ms
from rtsep.errors import RtsepError
from rtsep.evaluation.wakes import WakeWatch
from rtsep.io.null import NullBackend
from rtsep.models import registry
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.units import frames_to_ms

BLOCK = 256
"""Frames per callback, what players usually set."""

MIN_HOPS = 12
"""Fewer say nothing: a tier with long hops is watched for longer."""

_NEAR_DEADLINE = 0.75
_FLUTTER = 0.02
"""Share of late hops that a player notices as a model that comes and goes."""

_START_LIMIT_S = 120.0
_NOISE_S = 2.0
_NOISE_RMS = 0.1


class TierLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one tier. Times in milliseconds, memory in megabytes."""

    model: str
    tier: str
    latency_ms: float
    hop_ms: float
    deadline_ms: float
    hops: int
    late_hops: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    real_time_factor: float
    """Computing time per second of music; must stay below 1."""
    audio_process_mb: float
    model_process_mb: float
    wake_late_ms: float
    """By how much a thread beside the model was woken too late, one time in a thousand."""
    runtime: str = "auto"
    threads: int = 1

    @property
    def verdict(self) -> str:
        """`holds`, `tight` or `too slow`."""
        if self.real_time_factor >= 1.0 or self.late_hops > _FLUTTER * self.hops:
            return "too slow"
        return "tight" if self.late_hops or self.p99_ms > _NEAR_DEADLINE * self.deadline_ms else "holds"


def pink_noise(frames: int) -> Audio:
    """Noise that falls by 3 dB per octave, `[2, frames]` float32, the same each time."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal((at.CHANNELS, frames)))
    spectrum /= np.sqrt(np.maximum(1.0, np.arange(spectrum.shape[1])))
    noise = np.fft.irfft(spectrum, frames)
    level: Audio = (noise * _NOISE_RMS / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return level


def resident_mb(pid: int) -> float:
    """Memory that a process holds now, shared pages included, in MB; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if pid == os.getpid() else 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def live_tiers(model: str | None = None) -> list[tuple[str, str]]:
    """Model and tier of everything that can run live: of one model, or of all.

    Raises:
        ModelError: there is no such model.
    """
    cards = registry.catalogue() if model is None else [registry.find(model)[0]]
    return [(card.name, tier.name) for card in cards for tier in card.tiers if not tier.whole_file]


def measure(model: str, tier: str, *, seconds: float, runtime: str = "auto", threads: int = 1) -> TierLoad:
    """Run a tier for a while, from the moment its stems are heard.

    Args:
        model: name.
        tier: name.
        seconds: how long; longer if its hops are.
        runtime: `auto`, `onnx` or `torch`.
        threads: how many compute it.

    Raises:
        RtsepError: the model does not start; says why.
    """
    spec = registry.describe(model, tier)
    backend = NullBackend(spec.rate, BLOCK, loop=pink_noise(round(_NOISE_S * spec.rate)))
    engine = Engine(backend.open(), model=model, tier=tier, runtime=runtime, threads=threads)
    header = engine.segment.header
    backend.start(engine)
    engine.start()
    try:
        if not engine.supervisor.wait_until_running(_START_LIMIT_S):
            slow = f"{model} {tier} did not start within {_START_LIMIT_S:g} s. Check this machine with: rtsep doctor"
            raise RtsepError(engine.supervisor.reason or slow)
        while not header[at.HOPS] or engine.status().state == "dry":
            time.sleep(0.05)
            if engine.status().late_hops > MIN_HOPS:
                break  # too slow to be heard at all, which is a result
        before = header.copy()
        with WakeWatch() as wakes:
            time.sleep(max(seconds, MIN_HOPS * spec.hop / spec.rate))
        after = header.copy()
        memory = resident_mb(os.getpid()), resident_mb(engine.supervisor.pid or 0)
    finally:
        backend.stop()
        engine.stop()
    figures = _figures(engine, after - before, memory)
    return msgspec.structs.replace(figures, wake_late_ms=wakes.late_ms(), runtime=runtime, threads=threads)


def _figures(engine: Engine, during: NDArray[np.int64], memory: tuple[float, float]) -> TierLoad:
    """Figures of what the header words counted during the measurement."""
    spec, rate = engine.spec, engine.stream.rate
    hops = int(during[at.HOPS])
    histogram = during[at.HISTOGRAM : at.HISTOGRAM + at.HISTOGRAM_BINS]
    hop_ms = frames_to_ms(spec.hop, rate)
    return TierLoad(
        model=spec.name,
        tier=spec.tier,
        latency_ms=frames_to_ms(engine.latency.frames, rate),
        hop_ms=hop_ms,
        deadline_ms=frames_to_ms(compute_budget(spec.hop, engine.stream.block), rate),
        hops=hops,
        late_hops=int(during[at.LATE_HOPS]),
        p50_ms=percentile_ms(histogram, 0.5),
        p99_ms=percentile_ms(histogram, 0.99),
        max_ms=percentile_ms(histogram, 1.0),
        real_time_factor=float(during[at.HOP_NS_SUM]) / 1e6 / (hops * hop_ms) if hops else float("inf"),
        audio_process_mb=memory[0],
        model_process_mb=memory[1],
        wake_late_ms=0.0,
    )
