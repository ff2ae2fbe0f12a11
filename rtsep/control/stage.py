"""A performance: backend, engine, faders, MIDI and the live view together, from start to a clean end.

Order matters to a player: the callback runs before the model is even asked for, so dry sound is there at once and stems join
it when they are ready.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from rtsep import paths
from rtsep.config import Rig
from rtsep.control.autosave import LAST
from rtsep.control.hands import Hands
from rtsep.control.heritage import Heritage
from rtsep.control.live_view import LiveView
from rtsep.control.params import GROUP_NAMES, RECORD, ParamStore
from rtsep.control.saved_state import read_or_warn
from rtsep.control.snapshots import extras_from, states_among, values_from
from rtsep.control.web.launcher import PageAddress
from rtsep.engine.guardian import Life
from rtsep.engine.overload import OverloadGuard
from rtsep.engine.session import Backend, Engine
from rtsep.engine.stats import Snapshot
from rtsep.errors import DeviceError, UsageError, nearest
from rtsep.fx.mailbox import PluginStates
from rtsep.fx.prepare import prepare
from rtsep.io.jack_client import JackBackend, server_is_running
from rtsep.io.keeper import DeviceKeeper
from rtsep.io.null import NullBackend
from rtsep.io.player import SongFeeder
from rtsep.io.portaudio import PortAudioBackend
from rtsep.io.recorder import Recorder
from rtsep.models import registry
from rtsep.realtime import layout as at
from rtsep.stems import STEMS

BACKENDS = ("auto", "jack", "portaudio", "null")

_FADE_LIMIT_S = 0.7
"""Three callbacks of the longest block at 44.1 kHz, and some."""


def choose_backend(rig: Rig, *, listen: bool = True) -> Backend:
    """Make the backend that a rig asks for; `auto` is JACK if a server answers, else PortAudio.

    Args:
        rig: its `[audio]` table is read.
        listen: whether an input is needed.

    Raises:
        DeviceError: `auto` found neither a server nor a device.
        UsageError: unknown backend.
    """
    audio = rig.audio
    if audio.backend not in BACKENDS:
        hint = nearest(audio.backend, BACKENDS)
        raise UsageError(f'There is no backend "{audio.backend}".{hint} Backends: {", ".join(BACKENDS)}.')
    if audio.backend == "null":
        return NullBackend()
    if audio.backend == "jack" or (audio.backend == "auto" and not (audio.input or audio.output) and server_is_running()):
        return JackBackend(audio.client_name, connect=audio.connect or not listen)
    return PortAudioBackend(audio.input, audio.output, listen=listen, heard=audio.input_channels, played=audio.outputs)


def backend_or_none(rig: Rig, *, listen: bool) -> Backend | None:
    """Like `choose_backend`, but None if this machine has nothing to play on."""
    try:
        backend = choose_backend(rig, listen=listen)
        backend.open()
    except DeviceError:
        return None
    backend.stop()
    return backend


@contextlib.contextmanager
def ended_by_signals() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM end a performance the way Ctrl-C does; yields what says whether either has come. Main thread only.

    Both raise `KeyboardInterrupt`, which ends whatever waits. That is not enough: Python prints and forgets an exception that
    arises in a finaliser or in a callback of compiled code, so whoever goes on must also ask.
    """
    came: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    numbers = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_faders(rig: Rig, params: ParamStore) -> None:
    """Put every fader and switch where the rig says."""
    for stem in STEMS:
        table = getattr(rig.stems, stem)
        for knob in table.__struct_fields__:
            params.set(f"stem.{stem}.{knob}", float(getattr(table, knob)))
    for group in GROUP_NAMES:
        for knob in ("gain_db", "mute"):
            params.set(f"group.{group}.{knob}", float(getattr(getattr(rig.groups, group), knob)))
    for knob in rig.master.__struct_fields__:
        params.set(f"master.{knob}", float(getattr(rig.master, knob)))


def resume_faders(params: ParamStore, warn: Callable[[str], None], plugins: PluginStates | None = None) -> None:
    """Put everything where the last performance left it, as far as that was kept."""
    kept = read_or_warn(paths.state() / "last.toml", warn).get(LAST)
    for name, value in values_from(kept, "the last state", warn).items():
        params.set(name, value)
    if plugins:
        try:
            plugins.load(states_among(extras_from(kept)))
        except UsageError as error:
            warn(f"The last state: {error}")


def _fade_out(engine: Engine) -> None:
    """End the music without a step; returns when the ramp has been played, or when no callback seems to come any more."""
    header = engine.segment.header
    ramp = header[at.RATE] * at.RAMP_MS // 1000
    ParamStore(engine.segment.params).set("master.gain_db", float("-inf"))
    ended = header[at.CYCLES] + 2 + ramp // header[at.BLOCK]  # the callback of this moment may not have seen it
    until = time.monotonic() + _FADE_LIMIT_S
    while not engine.device_trouble and header[at.CYCLES] < ended and time.monotonic() < until:
        time.sleep(0.001)


class Performance(msgspec.Struct, frozen=True):
    """How a performance went."""

    status: Snapshot
    peaks_db: dict[str, float]
    """Highest peaks of mix and stems."""


def perform(
    rig: Rig,
    backend: Backend,
    *,
    song: Path | None = None,
    seconds: float | None = None,
    record: tuple[Path, str] | None = None,
    rig_file: Path | None = None,
    resume: bool = False,
    page: PageAddress | None = None,
    life: Life | None = None,
    say: Callable[[str], None],
) -> Performance:
    """Run until Ctrl-C, the end of the song, or `seconds`.

    Args:
        rig: model, faders and MIDI.
        backend: not yet opened.
        song: plays instead of the input.
        seconds: ends by itself after this time.
        record: folder for recordings and their format; records from the start.
        rig_file: where bindings are written that are learned meanwhile.
        page: where the mixer page is served; None for no page.
        resume: begin where the last performance ended.
        life: of the engine, if it is started again when it dies.
        say: takes the lines that are printed before the live view starts.

    Returns:
        What happened.

    Raises:
        DeviceError, ModelError, ConfigError: before any sound is made.
    """
    engine: Engine | None = None
    hands: Hands | None = None
    feeder: SongFeeder | None = None
    keeper: DeviceKeeper | None = None
    guard: OverloadGuard | None = None
    view: LiveView | None = None
    heritage = Heritage(life)
    rig = heritage.rig(rig)

    def tell(text: str) -> None:
        (view.tell if view else say)(text)

    try:
        with ended_by_signals() as ended:
            registry.find(rig.engine.model or None, rig.engine.tier or None, live=song is None)
            stream = backend.open()
            effects = prepare(rig.fx, model=rig.engine.model, tier=rig.engine.tier, rate=stream.rate, live=song is None)
            engine = Engine(
                stream,
                model=rig.engine.model or None,
                tier=rig.engine.tier or None,
                runtime=rig.engine.runtime,
                threads=rig.engine.threads or 1,
                playing=song is not None,
                on_event=tell,
                worker=effects.worker,
                extra_latency=effects.extra_latency,
            )
            params = ParamStore(engine.segment.params)
            set_faders(rig, params)
            effects.set_knobs(params)
            plugins = effects.states(engine.segment)
            if resume or heritage.takes_over:
                resume_faders(params, say, plugins)
            hands = Hands(engine, rig, rig_file=rig_file, page=page, plugins=plugins, tell=tell)
            console = hands.console
            console.models.on_latency = getattr(backend, "latency_changed", console.models.on_latency)
            if song:
                feeder = SongFeeder(engine, song, on_event=tell)
                feeder.start()
                engine.start()
                engine.supervisor.wait_until_running(limit_s=10.0)  # a song can wait for its stems; a stage cannot
            backend.start(engine)
            engine.start()
            keeper = DeviceKeeper(backend, engine, on_event=tell)
            keeper.start()
            late = rig.engine.on_overload
            guard = OverloadGuard(engine, backend, "dry" if song or late == "auto" else late, on_event=tell)
            guard.start()
            if record:
                console.recorder = Recorder(engine, record[0], format_name=record[1], on_event=tell)
                if not heritage.takes_over:  # later, a folder that cannot be made is told and ends nothing
                    console.recorder.start()
            params.set(RECORD, float(heritage.records(record is not None)))
            console.after_tick = lambda: heritage.leave(console)
            hands.start()
            view = LiveView(engine, params, where=f"{backend.name}, {stream.rate} Hz, {stream.block} frames")
            say(view.title)
            if hands.page:
                say(f"Mixer page: {hands.page.url}")
            for line in engine.latency.lines() if not song else ():
                say(f"  {line}")
            until = time.monotonic() + seconds if seconds else float("inf")
            view.show_while(lambda: not ended() and time.monotonic() < until and not (feeder and feeder.finished))
    except KeyboardInterrupt:
        pass
    finally:
        if hands is not None:
            hands.stop()
        if engine is not None and view is not None:
            _fade_out(engine)
        for part in (guard, keeper, feeder, backend, engine):
            if part is not None:
                part.stop()
    if engine is None or view is None:
        raise KeyboardInterrupt
    return Performance(status=engine.status(), peaks_db=view.peaks_db())
