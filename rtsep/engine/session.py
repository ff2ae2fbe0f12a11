"""A running engine: the segment, the audio thread's context, the inference process, and what they say of themselves.

A backend (`rtsep.io`) brings the rate, the block size and the callback; the engine brings everything else. Control threads only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypedDict

import msgspec

from rtsep.engine.latency import LatencyBudget, live_budget
from rtsep.engine.request import WorkerRequest
from rtsep.engine.stats import Snapshot, snapshot
from rtsep.engine.supervisor import WORKER, Supervisor
from rtsep.errors import ModelError, WeightsError
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


class Layout(TypedDict):
    """What the segment's words say of a model, see `Segment.lay_out`."""

    rate: int
    hop: int
    model_latency: int
    latency: int
    stems: tuple[str, ...]


_FASTEST_LATER = 96_000
"""Rate in Hz to which a device may change under way; a faster one is refused with a sentence."""


def _room_for_any_model(stream: StreamFormat) -> int:
    """Frames per ring with which every live tier of every model can run, also if the device changes its rate."""
    rate = max(stream.rate, _FASTEST_LATER)
    specs: list[SeparatorSpec] = []
    for card in registry.catalogue():
        with contextlib.suppress(WeightsError):  # a model that is not here needs no room
            specs += [registry.describe(card.name, tier.name, rate=rate) for tier in card.tiers if not tier.whole_file]
    return max(at.capacity_for(live_budget(spec, stream.block).frames + spec.latency, spec.hop) for spec in specs)


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
        threads: int = 1,
        playing: bool = False,
        freewheel: bool = False,
        realtime: bool = True,
        on_event: Callable[[str], None] | None = None,
        worker: Sequence[str] = WORKER,
        extra_latency: tuple[LatencyTerm, ...] = (),
    ) -> None:
        """Lay the engine out; nothing runs yet.

        Args:
            stream: rate and block of the backend.
            model: name, None for the default.
            tier: name, None for the default of live or file use.
            runtime: `auto`, `onnx` or `torch`.
            threads: how many compute the model.
            playing: a feeder writes the input ring ahead, so that nothing has to be delayed.
            freewheel: wait for the model rather than play dry.
            realtime: ask for real-time priority for the model.
            on_event: called with a sentence whenever the model's process changes for the worse.
            worker: command line of the inference process.
            extra_latency: what that process adds to the model's own latency.

        Raises:
            ModelError: unknown model or tier, or one that cannot run live.
        """
        card, chosen = registry.find(model, tier, live=not playing)
        self._extra_latency = extra_latency
        self._stream = stream
        self.spec: SeparatorSpec = self._with_extra(registry.describe(card.name, chosen.name, rate=stream.rate))
        self.playing = playing
        self.reserve = 0
        """Frames of delay beyond what the schedule needs."""
        self.device_trouble = ""
        """Sentence on why there is no audio device, empty while there is one."""
        self.segment = Segment.create(**self._layout(stream), capacity=_room_for_any_model(stream))
        self.segment.header[at.BLOCK] = stream.block
        self.segment.header[at.PLAYING] = int(playing)
        self.segment.header[at.FREEWHEEL] = int(freewheel)
        self.context = Context(self.segment, SCRATCH_FLOATS)
        self._request = WorkerRequest(
            descriptor=self.segment.descriptor,
            capacity=self.segment.capacity,
            epoch=0,
            model=card.name,
            tier=chosen.name,
            rate=stream.rate,
            runtime=runtime,
            threads=threads,
            realtime=realtime and not freewheel,
        )
        self.supervisor = Supervisor(self.segment, self._request, on_event=on_event, command=worker)

    @property
    def stream(self) -> StreamFormat:
        """What the backend runs at; the block is what its host has announced last."""
        return msgspec.structs.replace(self._stream, block=int(self.segment.header[at.BLOCK]))

    @stream.setter
    def stream(self, stream: StreamFormat) -> None:
        self._stream = stream
        self.segment.header[at.BLOCK] = stream.block

    @property
    def latency(self) -> LatencyBudget:
        """Every term of the delay for the present block size."""
        return self._budget(self.stream)

    def _budget(self, stream: StreamFormat) -> LatencyBudget:
        if self.playing:
            return LatencyBudget(stream.rate, (), stream.device_terms)
        return live_budget(self.spec, stream.block, stream.device_terms, reserve=self.reserve)

    def _with_extra(self, spec: SeparatorSpec) -> SeparatorSpec:
        return msgspec.structs.replace(spec, latency_terms=(*spec.latency_terms, *self._extra_latency))

    def _layout(self, stream: StreamFormat) -> Layout:
        return Layout(
            rate=stream.rate,
            hop=self.spec.hop,
            model_latency=self.spec.latency,
            latency=self._budget(stream).frames,
            stems=self.spec.stems,
        )

    def set_block(self, block: int) -> None:
        """Follow the host to another block size; the audio thread smooths the jump in latency, or fades in after `begin_anew`."""
        self.stream = msgspec.structs.replace(self.stream, block=block)
        if not self.playing:
            self.segment.header[at.LATENCY] = self.latency.frames

    def set_reserve(self, frames: int) -> None:
        """Change the delay beyond what the schedule needs; the backend's host must hear of it."""
        self.reserve = frames
        if not self.playing:
            self.segment.header[at.LATENCY] = self.latency.frames

    def has_room_for(self, reserve: int) -> bool:
        """Whether the rings are long enough for so many frames in reserve."""
        reach = self.latency.frames - self.reserve + reserve + self.spec.latency
        return at.capacity_for(reach, self.spec.hop) <= self.segment.capacity

    def change(self, *, model: str | None = None, tier: str | None = None, stream: StreamFormat | None = None) -> None:
        """Go on with another model, tier or stream, without a gap: dry is heard until the new model has loaded. Returns at once.

        The latency stays what it was if the new model needs no more at the same rate: the rest is held in reserve. Faders stay.

        Args:
            model: name, None for the same.
            tier: name, None for the same, or for the default tier of another model.
            stream: what the device now runs at; it must be stopped meanwhile if the rate is another.

        Raises:
            ModelError: unknown, cannot run live, or needs longer rings than this engine was started with.
        """
        same = model in (None, self._request.model)
        card, chosen = registry.find(model or self._request.model, tier or (self._request.tier if same else None))
        stream = stream or self.stream
        spec = self._with_extra(registry.describe(card.name, chosen.name, rate=stream.rate))
        needed = live_budget(spec, stream.block).frames
        if chosen.whole_file or at.capacity_for(needed + spec.latency, spec.hop) > self.segment.capacity:
            why = "needs the whole file" if chosen.whole_file else f"at {stream.rate} Hz needs longer buffers than this run has"
            raise ModelError(f'Tier "{chosen.name}" of {card.name} {why}; start it with: rtsep run --tier {chosen.name}.')
        keep = self.latency.frames - needed if stream.rate == self.stream.rate else 0
        self.spec, self.stream, self.reserve = spec, stream, max(0, keep)
        self._request = msgspec.structs.replace(self._request, model=card.name, tier=chosen.name, rate=stream.rate)
        self.segment.header[at.RESET_HOP] = 0  # hops may now be counted otherwise
        layout = self._layout(stream)
        self.supervisor.swap(self._request, lambda: self.segment.lay_out(**layout))
        self.segment.header[at.RATE] = stream.rate
        self.segment.header[at.LATENCY] = layout["latency"]  # at once, since the host may ask for it before the model is gone

    def begin_anew(self) -> None:
        """Let the device go on after it was gone: nothing of before is heard, what comes fades in. No callback may run meanwhile.

        A song that is played goes on where it was; live, the model forgets what it has heard.
        """
        header = self.segment.header
        if not self.playing:
            self.segment.source[:] = 0.0
            header[at.ORIGIN] = header[at.IN_W]
            if header[at.READY] == header[at.EPOCH]:  # another model would begin at the present by itself
                header[at.RESET_HOP] = header[at.IN_W] // header[at.HOP]
        header[at.STARTS] += 1

    def start(self) -> None:
        """Start the inference process. Returns at once; dry audio flows meanwhile."""
        self.supervisor.start()

    def status(self) -> Snapshot:
        """What is going on now."""
        now = snapshot(self.segment, self.supervisor)
        if self.device_trouble:
            return msgspec.structs.replace(now, state="no device", reason=self.device_trouble)
        return now

    def stop(self) -> None:
        """End the inference process. Stop the backend first."""
        self.supervisor.stop()
        self.segment.close()
