"""What controllers are told: lights, knob rings, motor faders and scribble strips follow the mix, whoever moved it.

No echo loops: a value is sent only if the controller does not show it already, be it because it was sent last or because a
hand has put the controller there since. A motor fader that reports its own motion, or a light that sends its state back,
therefore hears nothing more. Control threads only.

Scribble strips are Mackie Control's: two rows of 56 characters, seven to a strip, written by a system exclusive message
`F0 00 00 66 14 12 offset text F7`; a knob's light ring is controller 48 + n with 1 … 11 for its position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rtsep.config import MidiBinding, MidiLight
from rtsep.control.midi_map import action_of, rows_of
from rtsep.control.params import PARAMS, Param, ParamStore
from rtsep.realtime import layout as at
from rtsep.realtime.midi import position_of
from rtsep.realtime.segment import Context

_STRIP, _ROW = 7, 56
_SYSEX = (0xF0, 0x00, 0x00, 0x66, 0x14, 0x12)
_RING_OFFSET, _RING_STEPS = 32, 11
_SAME = 0.01
"""Positions 0 … 127 that count as one: a step of 14 bits, and what float32 makes of a curve there and back."""

Message = tuple[int, ...]


class Feedback:
    """Compares parameters with what controllers know, and sends the difference."""

    def __init__(
        self,
        context: Context,
        params: ParamStore,
        bindings: Sequence[MidiBinding],
        send: Callable[[Message], None],
        *,
        display: bool = False,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is sent before the first `look`.

        Args:
            context: its MIDI state says where controllers have been put.
            params: what is shown.
            bindings: as they are installed in the context.
            send: takes each message.
            display: whether there are scribble strips.
            groups: names of groups by their keys, as far as they have any.
        """
        self._context, self._params, self._send = context, params, send
        self._bindings = tuple(bindings)
        self._display = display
        self._groups = dict(groups or {})
        self._known: dict[Message, Message] = {}
        self._heard: dict[int, float] = {}

    def forget(self) -> None:
        """Send everything again at the next look: a controller has been plugged in."""
        self._known.clear()

    def rebind(self, bindings: Sequence[MidiBinding]) -> None:
        """Follow another list of bindings."""
        self._bindings = tuple(bindings)
        self.forget()

    def look(self) -> None:
        """Send what has changed since the last look."""
        layer = round(self._params.get("midi.layer"))
        row = 0
        for binding in self._bindings:
            first, row = row, row + len(rows_of(binding))
            if binding.to in PARAMS and binding.layer in (None, layer) and binding.feedback != "none":
                self._tell(binding, PARAMS[binding.to], first)
        if self._display:
            self._write_strips()

    def _tell(self, binding: MidiBinding, param: Param, row: int) -> None:
        curve = self._context.curves[row]
        raw = self._context.segment.params[param.word]
        if param.unit == "switch":
            on = binding.feedback.on if isinstance(binding.feedback, MidiLight) else 127
            position = float(on if raw >= 0.5 else 0)
        else:
            position = float(position_of(curve, raw))
            if action_of(binding) == at.ACT_SET:
                self._take_in(binding, float(self._context.midi_state[row, at.S_POSITION]), position, row)
        for message in messages_for(binding, position):
            self._send_new(_address(message), message)

    def _take_in(self, binding: MidiBinding, put: float, position: float, row: int) -> None:
        """Know where a hand has put the controller since the last look: there it stands, whatever was sent before."""
        if put == self._heard.get(row, -1.0):
            return
        self._heard[row] = put
        follows = abs(put - position) < _SAME
        if follows or binding.takeover == "jump":  # one that waits to take over is not chased by its own motor
            for message in messages_for(binding, position if follows else put):
                self._known[_address(message)] = message

    def _send_new(self, address: Message, message: Message) -> None:
        if self._known.get(address) != message:
            self._known[address] = message
            self._send(message)

    def _write_strips(self) -> None:
        for binding in self._bindings:
            strip = (binding.when.channel or 1) - 1
            if binding.when.type == "bend" and strip < _ROW // _STRIP and binding.to in PARAMS:
                param = PARAMS[binding.to]
                self._write(strip * _STRIP, self._short_name(param.name))
                self._write(_ROW + strip * _STRIP, param.text(self._params.get(param.name)).replace(" dB", ""))

    def _short_name(self, name: str) -> str:
        """What fits on a scribble strip: the stem, the group, or the knob of the master."""
        kind, middle, *_ = name.split(".")
        if kind == "group":
            return self._groups.get(middle) or f"grp {middle.upper()}"
        return "master" if (kind, middle) == ("master", "gain_db") else middle

    def _write(self, offset: int, text: str) -> None:
        shown = text[: _STRIP - 1].ljust(_STRIP).encode("ascii", "replace")
        self._send_new((*_SYSEX, offset), (*_SYSEX, offset, *shown, 0xF7))


def _address(message: Message) -> Message:
    """What a message moves: a pitch bend is named by its channel alone."""
    return message[:1] if message[0] & 0xF0 == 0xE0 else message[:2]


def messages_for(binding: MidiBinding, position: float) -> list[Message]:
    """Messages that show a position 0 … 127 on the controller of a binding."""
    when, light = binding.when, binding.feedback
    channel = (when.channel or 1) - 1
    coarse = min(127, round(position))
    if isinstance(light, MidiLight):
        return [((0xB0 if light.type == "cc" else 0x90) | light.channel - 1, light.number, coarse)]
    if light == "ring":
        return [(0xB0 | channel, when.number + _RING_OFFSET, 1 + round(position / 127 * (_RING_STEPS - 1)))]
    fine = round(position / 127 * 16383)
    if when.type == "bend":
        return [(0xE0 | channel, fine & 0x7F, fine >> 7)]
    if when.type == "cc14":
        return [(0xB0 | channel, when.number, fine >> 7), (0xB0 | channel, when.number + 32, fine & 0x7F)]
    if when.type == "note":
        return [(0x90 | channel, when.number, coarse)]
    return [(0xB0 | channel, when.number, coarse)] if when.type == "cc" and not when.relative else []
