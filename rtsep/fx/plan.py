"""From a rig's `[fx]` table to what the inference process is told: which effects, how late each is, which words move them.

Plug-ins are loaded and measured in processes of their own, so a plug-in that crashes or is missing is known before any music
plays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rtsep.config import EffectTable, FxTable
from rtsep.control.params import Param
from rtsep.errors import ConfigError, nearest
from rtsep.fx import mailbox, vst3
from rtsep.fx.alignment import Alignment
from rtsep.fx.builtin import BUILTINS, DUCK, DUCK_KNOBS, RINGING
from rtsep.models.separator import LatencyTerm
from rtsep.realtime import layout as at
from rtsep.stems import STEMS

TERM = "effects"
"""Name of the effects' part of the latency."""


class KnobPlan(msgspec.Struct, frozen=True):
    """A knob that can be moved live: its name at the effect, its parameter word, its range, and where it starts."""

    knob: str
    word: int
    low: float
    high: float
    start: float


class EffectPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of one stem."""

    label: str
    use: str
    path: str = ""
    """Of a VST3 plug-in; empty for our own and pedalboard's."""
    channels: int = 2
    by: str = ""
    """Stem that a ducker listens to."""
    tails: bool = False
    """Bypass lets ring out what has begun."""
    reported_latency: int = 0
    """Frames that it claimed to be late when it was measured."""
    settings: dict[str, float | bool | str] = {}
    alignment: Alignment = Alignment()
    knobs: tuple[KnobPlan, ...] = ()
    """`wet` and `bypass` first."""


class FxPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All effects."""

    hop: int
    rate: int
    chains: dict[str, tuple[EffectPlan, ...]]
    mailbox: str = ""
    """Folder in which the states of plug-ins lie, see `rtsep.fx.mailbox`; empty without plug-ins."""

    def numbered(self) -> list[tuple[int, str, EffectPlan]]:
        """Every effect with its number, from 1, and its stem: the same numbers in every process."""
        effects = [(stem, effect) for stem, chain in self.chains.items() for effect in chain]
        return [(number, stem, effect) for number, (stem, effect) in enumerate(effects, start=1)]

    def state_names(self) -> dict[str, int]:
        """Number of every plug-in by the name of its state: `fx.vocals.ZamComp.state`."""
        return {f"fx.{stem}.{effect.label}.state": number for number, stem, effect in self.numbered() if effect.path}

    @property
    def latency(self) -> int:
        """Delay of the latest chain; the other stems wait for it."""
        return max((sum(effect.alignment.latency for effect in chain) for chain in self.chains.values()), default=0)

    @property
    def latency_terms(self) -> tuple[LatencyTerm, ...]:
        """What the effects add to the latency budget."""
        return (LatencyTerm(TERM, self.latency),) if self.latency else ()

    def params(self) -> list[Param]:
        """The knobs as parameters: `fx.vocals.reverb.wet_level`, and `.wet` and `.bypass` of every effect."""
        return [
            Param(f"fx.{stem}.{effect.label}.{knob.knob}", knob.word, _unit(knob.knob), knob.low, knob.high, knob.start)
            for _, stem, effect in self.numbered()
            for knob in effect.knobs
        ]


def _unit(knob: str) -> str:
    return "switch" if knob == "bypass" else "ratio"


class _Words:
    """Gives out parameter words."""

    def __init__(self) -> None:
        self._next = at.FX

    def take(self, where: str) -> int:
        if self._next >= at.PARAMS:
            count = at.PARAMS - at.FX
            raise ConfigError(f"{where}: there are more knobs than the {count} that can be moved live. Use fewer effects.")
        self._next += 1
        return self._next - 1


def make_plan(table: FxTable, *, stems: Sequence[str], hop: int, rate: int) -> FxPlan | None:
    """Check and measure what a rig asks for; None if it asks for nothing.

    Args:
        table: `[fx]` of the rig.
        stems: what the model makes.
        hop: frames per model step.
        rate: Hz.

    Raises:
        ConfigError: an unknown effect, knob or stem.
        PluginError: a plug-in crashes, hangs or is no effect.
    """
    words = _Words()
    chains = {}
    states: dict[str, bytes] = {}
    for stem in STEMS:
        wanted: tuple[EffectTable, ...] = getattr(table, stem)
        if wanted and stem not in stems:
            raise ConfigError(f'fx.{stem}: this model makes no stem "{stem}". Its stems: {", ".join(stems)}.')
        labels: list[str] = []
        chain = []
        for entry in wanted:
            effect, state = _plan_effect(stem, entry, labels, words, stems=stems, hop=hop, rate=rate)
            chain.append(effect)
            labels.append(effect.label)
            states[f"fx.{stem}.{effect.label}.state"] = state
        if chain:
            chains[stem] = tuple(chain)
    if not chains:
        return None
    plan = FxPlan(hop=hop, rate=rate, chains=chains)
    names = plan.state_names()
    if not names:
        return plan
    folder = mailbox.post(msgspec.json.encode(plan), {number: states[name] for name, number in names.items()})
    return msgspec.structs.replace(plan, mailbox=str(folder))


def _plan_effect(
    stem: str, entry: EffectTable, labels: list[str], words: _Words, *, stems: Sequence[str], hop: int, rate: int
) -> tuple[EffectPlan, bytes]:
    where = f"fx.{stem}"
    label = entry.name or _short(entry.use)
    if label in labels:
        raise ConfigError(f'{where}: two effects are called "{label}". Give one of them a name of its own: name = "…".')
    if (entry.use == DUCK) != bool(entry.by) or (entry.by and entry.by not in stems):
        raise ConfigError(f'{where}: "duck" takes by = "STEM", one of {", ".join(stems)}, and no other effect does.')
    state = b""
    always = [("wet", 0.0, 1.0, entry.wet), ("bypass", 0.0, 1.0, float(entry.bypass))]
    details: dict[str, Any] = {}
    settings: dict[str, float | bool | str] = dict(entry.set)
    if entry.use in BUILTINS or entry.use == DUCK:
        known = DUCK_KNOBS if entry.use == DUCK else BUILTINS[entry.use].knobs
        _check_knobs(where, entry, known)
        if entry.preset or entry.state:
            raise ConfigError(f'{where}: only VST3 plug-ins have presets, not "{entry.use}". Give its knobs: set = {{ … }}.')
        movable = [(name, knob.low, knob.high, _number(entry, name, knob.default)) for name, knob in known.items()]
        settings = {name: start for name, _, _, start in movable}
    elif entry.use.endswith(".vst3") or entry.use in vst3.installed():
        path = vst3.find(entry.use)
        if entry.preset and entry.state:
            raise ConfigError(f"{where}: give {label} either a preset or a state, not both.")
        given = mailbox.state_from_text(f"{where}.{label}.state", entry.state)
        info = vst3.probe(path, hop=hop, rate=rate, settings=entry.set, state=given, preset=entry.preset)
        state = info.state
        details = {
            "path": str(path),
            "channels": info.channels,
            "alignment": info.alignment,
            "reported_latency": info.reported_latency,
        }
        movable = [(name, *info.parameters[name]) for name in entry.set if name in info.parameters]
    else:
        known_names = [*BUILTINS, DUCK, *vst3.installed()]
        raise ConfigError(
            f'{where}: there is no effect "{entry.use}".{nearest(entry.use, known_names)} '
            f"Effects: {', '.join([*BUILTINS, DUCK])}, or a VST3 plug-in by path or name (rtsep plugins scan)."
        )
    knobs = tuple(KnobPlan(name, words.take(where), low, high, start) for name, low, high, start in (*always, *movable))
    tails = entry.use in RINGING if entry.tails is None else entry.tails
    return EffectPlan(label=label, use=entry.use, by=entry.by, tails=tails, settings=settings, knobs=knobs, **details), state


def _short(use: str) -> str:
    return use.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".vst3").replace(".", "_")


def _number(entry: EffectTable, name: str, default: float) -> float:
    return float(entry.set.get(name, default))


def _check_knobs(where: str, entry: EffectTable, known: dict[str, Any]) -> None:
    for name, value in entry.set.items():
        if name not in known:
            raise ConfigError(f'{where}: "{entry.use}" has no knob "{name}".{nearest(name, known)} Knobs: {", ".join(known)}.')
        if isinstance(value, str) or not known[name].low <= value <= known[name].high:
            raise ConfigError(f"{where}: {name} takes {known[name].low:g} to {known[name].high:g}, not {value}.")
