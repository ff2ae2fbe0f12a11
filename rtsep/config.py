"""Rigs: one TOML file says which model, which ports, which faders and which MIDI messages move them.

Unknown keys are errors. A wrong rig is refused whole, with the file, the line, the path of the key, and the nearest known
one.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from rtsep import paths
from rtsep.errors import ConfigError, nearest

GainDb = Annotated[float, msgspec.Meta(ge=-120.0, le=12.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
MidiChannel = Annotated[int, msgspec.Meta(ge=1, le=16)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the rig: frozen, and its keys are all there are."""


class EngineTable(_Strict, frozen=True):
    """`[engine]`: what separates. Empty, `auto` and 0 mean what `rtsep doctor` found best on this machine, else the default."""

    model: str = ""
    tier: str = ""
    runtime: Literal["auto", "onnx", "torch"] = "auto"
    threads: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    """How many compute the model."""
    on_overload: Literal["auto", "dry", "grow", "tier"] = "auto"
    """When the model is late again and again: leave it dry, give it more latency, or change to a cheaper tier."""


class AudioTable(_Strict, frozen=True):
    """`[audio]`: where sound comes from and goes to. Devices are named by a part of their name."""

    backend: Literal["auto", "jack", "portaudio", "null"] = "auto"
    input: str = ""
    output: str = ""
    client_name: str = "rtsep"
    connect: bool = False
    """JACK: connect to the system's ports at the start."""
    input_channels: tuple[int, ...] = ()
    """Channels of the interface that are heard, from 1: two, or one for both sides. Empty: 1 and 2."""
    outputs: dict[str, tuple[int, int]] = {}
    """Channels on which `mix` and stems are played, as `vocals = [3, 4]`. Empty: mix on 1 and 2, stems on 3 to 10 if there."""


class StemTable(_Strict, frozen=True):
    """`[stems.NAME]`: where a fader stands at the start."""

    gain_db: GainDb = 0.0
    mute: bool = False
    solo: bool = False
    pan: Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)] = 0.0
    width: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] = 1.0
    group: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0
    """1 or 2: the group whose fader and mute (`group.a.gain_db`, `group.b.mute`) also hold for this stem; 0: none."""


class MasterTable(_Strict, frozen=True):
    """`[master]`: the mix after the stems have been added up."""

    gain_db: GainDb = 0.0
    blend: Share = 1.0
    """1: stems only; less mixes in the input, aligned."""
    karaoke: Share = 0.0
    limiter: bool = False


class GroupTable(_Strict, frozen=True):
    """`[groups.a]`, `[groups.b]`: a fader and a mute for all stems whose `group` is 1 or 2."""

    name: Annotated[str, msgspec.Meta(max_length=24)] = ""
    """What players call it; without one, its letter."""
    gain_db: GainDb = 0.0
    mute: bool = False


class GroupsTable(_Strict, frozen=True):
    """`[groups]`: one table per group."""

    a: GroupTable = GroupTable()
    b: GroupTable = GroupTable()


class StemsTable(_Strict, frozen=True):
    """`[stems]`: one table per stem."""

    vocals: StemTable = StemTable()
    drums: StemTable = StemTable()
    bass: StemTable = StemTable()
    other: StemTable = StemTable()


class MidiMessage(_Strict, frozen=True):
    """Which message, on one channel or (without `channel`) on any.

    `cc` controller 0 … 127; `cc14` a pair, named by its coarse half 0 … 31; `nrpn` 0 … 16383; `note` and `program` 0 … 127;
    `bend` has no number.
    """

    type: Literal["cc", "cc14", "nrpn", "note", "bend", "program"]
    number: Annotated[int, msgspec.Meta(ge=0, le=16383)] = 0
    channel: MidiChannel | None = None
    relative: Literal["twos", "offset", "sign"] | None = None
    """An endless encoder: 1 … 63 right and 127 … 64 left; 65 … right and 63 … left; or 1 … 63 right and 65 … 127 left."""


class MidiLight(_Strict, frozen=True):
    """A message that is sent back where it differs from the one that is received: the light of a button."""

    type: Literal["cc", "note"]
    number: Annotated[int, msgspec.Meta(ge=0, le=127)]
    channel: MidiChannel = 1
    on: Annotated[int, msgspec.Meta(ge=1, le=127)] = 127
    """Value for a switch that is on."""


class MidiCurve(_Strict, frozen=True):
    """How a value 0 … 127 becomes the parameter's unit.

    `fader` is 0 dB at 100, the upper end of the range at 127, and fades to silence below; `db` and `linear` are straight
    lines in dB and in gain; `toggle` flips between the ends of the range at each press; `momentary` holds the upper end while
    the key is down; `alone` solos this stem and no other. A range that is given backwards inverts.
    """

    curve: Literal["fader", "db", "linear", "toggle", "momentary", "alone"] | None = None
    """Without one: `fader` for gains, `toggle` for switches under notes, else `linear`."""
    range: tuple[float, float] | None = None
    """In the parameter's unit; without one, -60 … 6 dB for gains and all there is for the rest."""
    step: Annotated[float, msgspec.Meta(gt=0.0, le=127.0)] = 1.0
    """Endless encoders: how far a tick moves, in 127ths of the range."""


class MidiBinding(_Strict, frozen=True, rename={"curve": "map"}):
    """`[[midi.bind]]`: one message moves one parameter."""

    when: MidiMessage
    to: str
    """A parameter; or `snapshot.NAME`, which is recalled; or `model.NAME` or `model.NAME.TIER`, which takes over."""
    curve: MidiCurve | None = None
    takeover: Literal["jump", "pickup", "scale"] = "jump"
    """A fader without a motor that stands elsewhere: jump there, wait until it comes by, or approach in proportion."""
    layer: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    """Holds only while the parameter `midi.layer` has this value."""
    feedback: Literal["same", "ring", "none"] | MidiLight = "same"
    """What is sent back: the same message; the light ring of a Mackie Control knob; nothing; or a message of its own."""


class MidiTable(_Strict, frozen=True):
    """`[midi]`: ports by a part of their name (none: JACK's `midi_in` only), ready maps of controllers, and bindings."""

    ports: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    """Ports that lights and motor faders listen on."""
    maps: tuple[str, ...] = ()
    """Names of files in `configs/midi`, or paths: their ports and bindings come before those of the rig."""
    display: Literal["none", "mackie"] = "none"
    """`mackie`: stem names are written on the scribble strips."""
    bind: tuple[MidiBinding, ...] = ()


class EffectTable(_Strict, frozen=True):
    """One effect of `fx.STEM = [...]`: one of pedalboard's, `duck`, or a VST3 plug-in by path or name."""

    use: str
    name: str = ""
    """What its parameters are called after (`fx.vocals.NAME.wet`); without it, what `use` says."""
    wet: Share = 1.0
    bypass: bool = False
    by: str = ""
    """`duck`: the stem that it listens to."""
    tails: bool | None = None
    """Bypass lets what has begun ring out instead of cutting it; by default so for `reverb` and `delay`."""
    preset: str = ""
    """VST3: a `.vstpreset` file, as a DAW saves it; a relative path starts at the rig's folder. Applied before `set`."""
    state: str = ""
    """VST3: the same as text, base64 of what pedalboard calls `raw_state`; instead of `preset`."""
    set: dict[str, float | bool | str] = {}
    """Knobs at the start. Those of a VST3 plug-in that are set here can be moved live."""


class FxTable(_Strict, frozen=True):
    """`[fx]`: a chain of effects per stem, in order."""

    vocals: tuple[EffectTable, ...] = ()
    drums: tuple[EffectTable, ...] = ()
    bass: tuple[EffectTable, ...] = ()
    other: tuple[EffectTable, ...] = ()


class SnapshotsTable(_Strict, frozen=True):
    """`[snapshots]`: settings of the mixer that can be recalled."""

    safe: tuple[str, ...] = ()
    """Parameters that a recall leaves alone; `*` stands for anything (`master.*`)."""
    morph: tuple[str, str] | None = None
    """Two snapshots between which the parameter `snapshot.morph` moves."""


class OscTable(_Strict, frozen=True):
    """`[osc]`: Open Sound Control over UDP; off without a port."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    listen: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` lets every machine of the network move the faders."""


class Rig(_Strict, frozen=True):
    """A whole rig file."""

    engine: EngineTable = EngineTable()
    audio: AudioTable = AudioTable()
    stems: StemsTable = StemsTable()
    groups: GroupsTable = GroupsTable()
    master: MasterTable = MasterTable()
    fx: FxTable = FxTable()
    midi: MidiTable = MidiTable()
    snapshots: SnapshotsTable = SnapshotsTable()
    osc: OscTable = OscTable()


def rig_path(name: str) -> Path:
    """Find a rig: a path, or the name of one that ships in `configs/rigs`.

    Raises:
        ConfigError: there is neither.
    """
    return _find("rig", name, "rigs")


def load_rig(path: Path) -> Rig:
    """Read and check a rig.

    Raises:
        ConfigError: not readable, not TOML, an unknown key, or a value that is not allowed; names file, line and key.
    """
    rig = _read(path, Rig)
    midi = rig.midi
    for name in reversed(midi.maps):
        table = _read(map_path(name), MidiTable)
        midi = msgspec.structs.replace(
            midi,
            ports=table.ports + midi.ports,
            out=table.out + midi.out,
            bind=table.bind + midi.bind,
            display=table.display if midi.display == "none" else midi.display,
        )
    return msgspec.structs.replace(rig, midi=midi, fx=_with_presets_from(path.parent, rig.fx))


def _with_presets_from(folder: Path, fx: FxTable) -> FxTable:
    def found(effect: EffectTable) -> EffectTable:
        path = folder / Path(effect.preset).expanduser()  # an absolute one stays what it is
        return msgspec.structs.replace(effect, preset=str(path.absolute())) if effect.preset else effect

    return FxTable(**{stem: tuple(map(found, getattr(fx, stem))) for stem in fx.__struct_fields__})


def map_path(name: str) -> Path:
    """Find a controller's map: a path, or the name of one that ships in `configs/midi`.

    Raises:
        ConfigError: there is neither.
    """
    return _find("MIDI map", name, "midi")


def _find(what: str, name: str, folder: str) -> Path:
    given = Path(name)
    if given.is_file():
        return given
    shipped = {path.stem: path for path in sorted((paths.configs() / folder).glob("*.toml"))}
    if name in shipped:
        return shipped[name]
    hint = nearest(name, shipped)
    raise ConfigError(f'There is no {what} file "{name}".{hint} Give a path, or one that ships: {", ".join(shipped)}.')


Table = TypeVar("Table", bound=msgspec.Struct)


def _read(path: Path, table: type[Table]) -> Table:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    try:
        return msgspec.convert(tomllib.loads(text), table)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(path, text, str(error), table)) from error


def _explain(path: Path, text: str, problem: str, table: type[msgspec.Struct]) -> str:
    """Add file, line and the nearest known key to msgspec's message."""
    unknown = re.search(r"unknown field `([^`]+)`", problem)
    at = re.search(r"at `\$\.?([^`]*)`", problem)
    where = at.group(1) if at else ""
    key = unknown.group(1) if unknown else where.rsplit(".", 1)[-1].split("[")[0]
    rows = enumerate(text.splitlines(), 1) if key else ()
    line = next((str(number) for number, row in rows if re.search(rf"\b{re.escape(key)}\b", row)), "")
    hint = nearest(key, _known_keys(table, where)) if unknown else ""
    place = f"{path}, line {line}" if line else str(path)
    return f"{place}: {problem}.{hint} The keys are described in the README and in {paths.configs() / 'rigs'}."


def _known_keys(struct: type[msgspec.Struct], where: str) -> list[str]:
    """Keys that are allowed in the table named by a path such as `audio` or `midi.bind[0].when`."""
    kind: Any = struct
    for part in re.findall(r"[A-Za-z_]\w*", where):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        kind = _struct_within(fields.get(part))
        if kind is None:
            return []
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _struct_within(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a field's type is, or is a tuple or an option of."""
    candidates = [kind, *getattr(kind, "__args__", ())]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, msgspec.Struct)), None)
