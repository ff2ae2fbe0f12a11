"""A running engine: the segment, the audio thread's context, the inference process, and what they say of themselves.

A backend (`rtsep.io`) brings the rate, the block size and the callback; the engine brings everything else. Control threads only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from rtsep.engine.latency import LatencyBudget, live_budget
from rtsep.engine.request import WorkerRequest
from rtsep.engine.stats import Snapshot, snapshot
from rtsep.engine.supervisor import Supervisor
from rtsep.models import registry
from rtsep.models.separator import LatencyTerm, SeparatorSpec
from rtsep.realtime import layout as at
from rtsep.realtime.callbacks import SCRATCH_FLOATS
from rtsep.realtime.segment import Context, Segment


class StreamFormat(msgspec.Struct, frozen=True):
    """What a backend runs at."""

    rate: int
    block: int
    """Frames per callback; the largest, if the host varies them."""
    device_terms: tuple[LatencyTerm, ...] = ()


class Backend(Protocol):
    """Where audio comes from and goes to."""

    name: str

    def open(self) -> StreamFormat:
        """Reach the device or server and say what it runs at. Raises DeviceError."""
        ...

    def start(self, engine: Engine) -> None:
        """Let the callback run on this engine's context."""
        ...

    def stop(self) -> None:
        """Return when the callback will not be called again."""
        ...


class Engine:
    """One model between one input and one output.

    Attributes:
        spec: the separator at the stream's rate.
        segment: memory shared with the inference process.
        context: memory of the audio thread.
    """

    def __init__(
        self,
        stream: StreamFormat,
        *,
        model: str | None = None,
        tier: str | None = None,
        runtime: str = "auto",
        playing: bool = False,
        freewheel: bool = False,
        realtime: bool = True,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        """Lay the engine out; nothing runs yet.

        Args:
            stream: rate and block of the backend.
            model: name, None for the default.
            tier: name, None for the default of live or file use.
            runtime: `auto`, `onnx` or `torch`.
            playing: a feeder writes the input ring ahead, so that nothing has to be delayed.
            freewheel: wait for the model rather than play dry.
            realtime: ask for real-time priority for the model.
            on_event: called with a sentence whenever the model's process changes for the worse.

        Raises:
            ModelError: unknown model or tier, or one that cannot run live.
        """
        card, chosen = registry.find(model, tier, live=not playing)
        self.spec: SeparatorSpec = registry.describe(card.name, chosen.name, rate=stream.rate)
        self.stream = stream
        self.playing = playing
        self.segment = Segment.create(
            rate=stream.rate,
            hop=self.spec.hop,
            model_latency=self.spec.latency,
            latency=0 if playing else live_budget(self.spec, stream.block).frames,
            stems=self.spec.stems,
        )
        self.segment.header[at.PLAYING] = int(playing)
        self.segment.header[at.FREEWHEEL] = int(freewheel)
        self.context = Context(self.segment, SCRATCH_FLOATS)
        request = WorkerRequest(
            descriptor=self.segment.descriptor,
            capacity=self.segment.capacity,
            epoch=0,
            model=card.name,
            tier=chosen.name,
            rate=stream.rate,
            runtime=runtime,
            realtime=realtime and not freewheel,
        )
        self.supervisor = Supervisor(self.segment, request, on_event=on_event)

    @property
    def latency(self) -> LatencyBudget:
        """Every term of the delay for the present block size."""
        if self.playing:
            return LatencyBudget(self.stream.rate, (), self.stream.device_terms)
        return live_budget(self.spec, self.stream.block, self.stream.device_terms)

    def set_block(self, block: int) -> None:
        """Follow the host to another block size; the jump in latency is smoothed by the audio thread."""
        self.stream = msgspec.structs.replace(self.stream, block=block)
        if not self.playing:
            self.segment.header[at.LATENCY] = self.latency.frames

    def start(self) -> None:
        """Start the inference process. Returns at once; dry audio flows meanwhile."""
        self.supervisor.start()

    def status(self) -> Snapshot:
        """What is going on now."""
        return snapshot(self.segment, self.supervisor)

    def stop(self) -> None:
        """End the inference process. Stop the backend first."""
        self.supervisor.stop()
        self.segment.close()
