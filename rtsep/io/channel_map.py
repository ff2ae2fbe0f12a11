"""Which channels of an interface are heard and played: a microphone on input 3, stems on outputs 3 to 10.

Channels are counted from 1, as they are printed on the box. Without a map, input 1 and 2 are heard (a single one feeds both
sides); mix and stems are played on ten channels if the device has them, otherwise the mix alone on 1 and 2, or summed on a
single one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from rtsep.errors import ConfigError, nearest
from rtsep.realtime import layout as at
from rtsep.stems import STEMS

NOWHERE = -1
_NAMES = ("mix", *STEMS)


class ChannelMap(msgspec.Struct, frozen=True):
    """Channels of a device, counted from 0.

    Attributes:
        heard: channels for left and right; empty without an input.
        played: channel of each output in engine order, or `NOWHERE`.
        width_in: channels to open of the input.
        width_out: channels to open of the output; 1 means that left and right are summed.
    """

    heard: tuple[int, ...]
    played: tuple[int, ...]
    width_in: int
    width_out: int


def channel_map(
    inputs: int, outputs: int, *, heard: Sequence[int] = (), played: Mapping[str, Sequence[int]] | None = None
) -> ChannelMap:
    """Lay out the channels.

    Args:
        inputs: channels the input device has; 0 for none.
        outputs: channels the output device has.
        heard: one or two input channels, from 1; empty for the default.
        played: `mix` or a stem to its two output channels, from 1; empty for the default.

    Raises:
        ConfigError: a channel that the device has not, or no such stem.
    """
    sources = _sources(inputs, heard)
    sinks = _sinks(outputs, played or {})
    width_out = 1 if outputs == 1 else max(sinks) + 1
    return ChannelMap(sources, sinks, max(sources, default=-1) + 1, width_out)


def _sources(inputs: int, heard: Sequence[int]) -> tuple[int, ...]:
    if inputs == 0:
        return ()
    wanted = tuple(heard) or (1, min(2, inputs))
    if len(wanted) > at.CHANNELS:
        raise ConfigError(f"$.audio.input_channels takes one or two channels, not {len(wanted)}.")
    for channel in wanted:
        if not 1 <= channel <= inputs:
            raise ConfigError(f"$.audio.input_channels: there is no input {channel}; the device has 1 to {inputs}.")
    return wanted[0] - 1, wanted[-1] - 1


def _sinks(outputs: int, played: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    if not played:
        return tuple(k if k < at.CHANNELS or outputs >= at.OUTPUTS else NOWHERE for k in range(at.OUTPUTS))
    sinks = [NOWHERE] * at.OUTPUTS
    for name, channels in played.items():
        if name not in _NAMES:
            hint = nearest(name, _NAMES)
            raise ConfigError(f'$.audio.outputs: there is no output "{name}".{hint} Outputs: {", ".join(_NAMES)}.')
        if len(channels) != at.CHANNELS:
            raise ConfigError(f"$.audio.outputs.{name} takes two channels, left and right.")
        for side, channel in enumerate(channels):
            if not 1 <= channel <= outputs:
                raise ConfigError(f"$.audio.outputs.{name}: there is no output {channel}; the device has 1 to {outputs}.")
            if channel - 1 in sinks:
                raise ConfigError(f"$.audio.outputs.{name}: output {channel} is taken already.")
            sinks[at.CHANNELS * _NAMES.index(name) + side] = channel - 1
    return tuple(sinks)
