"""Hours of audio through the real engine: is a sample ever lost, doubled or moved, does memory grow, how often is a hop late?

`stream` sends noise of which every sample tells its own number (a hash of it, on 24 bits) through audio thread code, shared
rings and inference process, waiting for the model as a host does that renders faster than real time. The `passthrough` model
gives exact fractions, so every output sample of mix and stems is compared bit by bit with the one that belongs there. Blocks
change their length all the time.

`pace` plays noise in real time and reads what the engine counted: late hops and the distribution of hop times.

  python -m rtsep.evaluation.soak --hours 8
  python -m rtsep.evaluation.soak --callbacks 30000

Each line on stdout is a JSON object; the exit code is 0 if all held.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from rtsep.engine.latency import compute_budget
from rtsep.engine.session import Engine, StreamFormat
from rtsep.engine.stats import percentile_ms
from rtsep.errors import RtsepError
from rtsep.evaluation.load import pink_noise, resident_mb
from rtsep.io.null import NullBackend
from rtsep.models.passthrough import SHARES
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from rtsep.stems import STEMS
from rtsep.units import frames_to_ms

RATE = 44_100
LONGEST_BLOCK = 8192
_START_LIMIT_S = 120.0
_KNUTH = np.uint64(2_654_435_761)
_GAINS = np.repeat(np.array([1.0, *(SHARES[stem] for stem in STEMS)], np.float32), at.CHANNELS)[:, None]
"""What each output is of the input: the mix, then every stem, left and right."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """State of a stream at one moment."""

    audio_s: float
    wall_s: float
    wrong_samples: int
    """Output samples that were not bit by bit the input `latency` frames before."""
    dry_frames: int
    latency: int
    audio_process_mb: float
    model_process_mb: float

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.audio_s / self.wall_s


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted over so many callbacks in real time. Times in milliseconds."""

    model: str
    tier: str
    callbacks: int
    block: int
    hops: int
    late_hops: int
    dry_s: float
    hop_ms: float
    deadline_ms: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float
    restarts: int


def numbered_noise(first: int, count: int) -> Audio:
    """Frames `first` … of a signal whose every sample is the hash of its number, exact in float32: `[2, count]`."""
    number = np.arange(first, first + count, dtype=np.uint64)
    hashed = (number * _KNUTH & np.uint64(0xFFFFFFFF)) >> np.uint64(8)
    left = hashed.astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return np.stack([left, -left])


def _start(engine: Engine) -> None:
    engine.start()
    if not engine.supervisor.wait_until_running(_START_LIMIT_S):
        raise RtsepError(engine.supervisor.reason or "The model did not start in time. Check this machine with: rtsep doctor")


def stream(seconds: float, *, tier: str = "46ms", report_s: float = 60.0, seed: int = 0, first: int = 0) -> Iterator[Progress]:
    """Send audio through the engine as fast as it goes.

    Args:
        seconds: of audio.
        tier: of the `passthrough` model.
        report_s: seconds of audio between reports.
        seed: of the block lengths.
        first: number of the first frame, as if the engine had run before.

    Yields:
        Reports; the last one at the end.
    """
    rng = np.random.default_rng(seed)
    engine = Engine(StreamFormat(RATE, LONGEST_BLOCK), model="passthrough", tier=tier, freewheel=True)
    try:
        engine.segment.header[[at.IN_W, at.OUT_POS]] = first
        _start(engine)
        latency, total = engine.latency.frames, round(seconds * RATE)
        history = np.zeros((at.CHANNELS, latency), np.float32)  # input that has not come out yet
        outs = np.empty((at.OUTPUTS, LONGEST_BLOCK), np.float32)
        header = engine.segment.header
        began, done, wrong, reported = time.monotonic(), 0, 0, 0.0
        while done < total:
            n = int(rng.integers(1, LONGEST_BLOCK + 1))
            mix = numbered_noise(first + done, n)
            outs[:] = np.nan
            process(engine.context.words, mix, outs, n)
            history = np.concatenate([history, mix], axis=1)
            expected = np.tile(history[:, :n], (at.OUTPUTS // at.CHANNELS, 1)) * _GAINS
            wrong += int((outs[:, :n] != expected).sum())
            history = history[:, n:]
            done += n
            if done / RATE - reported >= report_s or done >= total:
                reported = done / RATE
                yield Progress(
                    audio_s=reported,
                    wall_s=time.monotonic() - began,
                    wrong_samples=wrong,
                    dry_frames=int(header[at.DRY_FRAMES]),
                    latency=int(header[at.LATENCY]),
                    audio_process_mb=resident_mb(os.getpid()),
                    model_process_mb=resident_mb(engine.supervisor.pid or 0),
                )
    finally:
        engine.stop()


def pace(callbacks: int, *, block: int = 128, model: str | None = None, tier: str | None = None) -> Pace:
    """Play noise in real time and return what the engine counted from the moment its stems were heard."""
    backend = NullBackend(RATE, block, loop=pink_noise(2 * RATE))
    engine = Engine(backend.open(), model=model, tier=tier)
    header = engine.segment.header
    backend.start(engine)
    try:
        _start(engine)
        while not header[at.SEPARATED]:
            time.sleep(0.05)
        time.sleep(2 * at.FADE / RATE + 0.1)  # the cross-fade to the first stems is no loss
        before = header.copy()
        while header[at.CYCLES] - before[at.CYCLES] < callbacks:
            time.sleep(0.1)
        during = header.copy() - before
    finally:
        backend.stop()
        engine.stop()
    histogram = during[at.HISTOGRAM : at.HISTOGRAM + at.HISTOGRAM_BINS]
    return Pace(
        model=engine.spec.name,
        tier=engine.spec.tier,
        callbacks=int(during[at.CYCLES]),
        block=block,
        hops=int(during[at.HOPS]),
        late_hops=int(during[at.LATE_HOPS]),
        dry_s=float(during[at.DRY_FRAMES]) / RATE,
        hop_ms=frames_to_ms(engine.spec.hop, RATE),
        deadline_ms=frames_to_ms(compute_budget(engine.spec.hop, block), RATE),
        p50_ms=percentile_ms(histogram, 0.5),
        p99_ms=percentile_ms(histogram, 0.99),
        p99_9_ms=percentile_ms(histogram, 0.999),
        max_ms=percentile_ms(histogram, 1.0),
        restarts=engine.supervisor.restarts,
    )


def _print(report: Progress | Pace, **more: Any) -> None:
    print(msgspec.json.encode({**msgspec.to_builtins(report), **more}).decode(), flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for; 0 if no sample was wrong."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, metavar="H", help="of audio to stream through the passthrough model")
    parser.add_argument("--callbacks", type=int, metavar="N", help="to play in real time through a model")
    parser.add_argument("--block", type=int, default=128, metavar="FRAMES", help="per callback in real time (default: 128)")
    parser.add_argument("-m", "--model", metavar="NAME", help="in real time (default: the default model)")
    parser.add_argument("-t", "--tier", metavar="NAME", help="in real time")
    parser.add_argument("--seed", type=int, default=0, help="of the block lengths")
    args = parser.parse_args(argv)
    if args.hours is None and args.callbacks is None:
        parser.error("give --hours, --callbacks or both")
    wrong = 0
    if args.hours is not None:
        for report in stream(args.hours * 3600, seed=args.seed):
            _print(report, speed=round(report.speed, 1))
            wrong = report.wrong_samples + report.dry_frames
    if args.callbacks is not None:
        _print(pace(args.callbacks, block=args.block, model=args.model, tier=args.tier))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
