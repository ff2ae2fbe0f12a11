"""Loads one VST3 plug-in, measures it and prints what it is as a line of JSON; a crash ends only this process.

Run by `rtsep.fx.vst3.probe` with a `ProbeRequest` as JSON at its standard input. Exit code 1: a sentence instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rtsep.errors import RtsepError
from rtsep.fx.alignment import measure
from rtsep.fx.effect import PluginEffect
from rtsep.fx.vst3 import PluginError, PluginInfo, ProbeRequest, load


def channels_of(plugin: Any, rate: int) -> int:
    """2 if the plug-in takes stereo, 1 if it takes mono, 0 if neither."""
    for channels in (2, 1):
        try:
            plugin.process(np.zeros((channels, 512), np.float32), rate, buffer_size=512)
        except ValueError:
            continue
        return channels
    return 0


def describe(request: ProbeRequest) -> PluginInfo:
    """Load and measure; see `PluginInfo`.

    Raises:
        PluginError: it is no effect for mono or stereo.
        UsageError: it has no such parameter.
    """
    path, hop, rate = Path(request.path), request.hop, request.rate
    plugin = load(path)
    channels = channels_of(plugin, rate) if plugin.is_effect else 0
    if channels == 0:
        raise PluginError(f"{path.name} is not an effect for mono or stereo.")
    effect = PluginEffect(path, rate, channels=channels, state=request.state)
    if request.preset:
        effect.load_preset(Path(request.preset))
    for name, value in request.settings.items():
        effect.set(name, value)
    effect.process(np.zeros((2, hop), np.float32), np.zeros((2, hop), np.float32))
    effect.reset()  # as every stream begins; it decides whether pedalboard takes the latency off or leaves it
    alignment = measure(lambda block: effect.process(block, block), hop, effect.reported_latency)
    return PluginInfo(
        name=plugin.name,
        path=str(path),
        maker=plugin.manufacturer_name,
        version=plugin.version,
        is_effect=plugin.is_effect,
        channels=channels,
        reported_latency=effect.reported_latency,
        alignment=alignment,
        parameters=effect.numeric_parameters(),
        state=effect.state,
    )


def main() -> int:
    """Answer one request."""
    out = os.fdopen(os.dup(1), "wb")  # plug-ins print to standard output
    os.dup2(2, 1)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=ProbeRequest)
    try:
        out.write(msgspec.json.encode(describe(request)) + b"\n")
    except RtsepError as error:
        out.write(str(error).encode() + b"\n")
        return 1
    finally:
        out.flush()
    return 0


if __name__ == "__main__":
    code = main()
    os._exit(code)  # some plug-ins crash when they are unloaded, which nobody needs to know
