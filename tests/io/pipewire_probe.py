"""Run under `pw-jack`: the engine between a source and a sink in PipeWire's graph, in real time. Prints what was seen as JSON.

A program of its own because the dynamic linker decides at its start whether libjack is JACK's or PipeWire's.
"""

from __future__ import annotations

import json

import numpy as np

from rtsep.io.jack_client import CAPTURE, INPUT_PORTS, OUTPUT_PORTS, PLAYBACK
from tests.io.jack_probe import engine_on_jack, latency_range, probe, wait_until

EVERY = 4096
"""Frames between clicks: more than the latency and a block, so that each is told from the next."""

CLICKS = 24


def main() -> None:
    """Play clicks through and print rate, latencies, and the delay of every click in every output."""
    with engine_on_jack() as (engine, backend):
        clicks = np.zeros((2, EVERY * (CLICKS + 1)), np.float32)
        clicks[:, EVERY * np.arange(1, CLICKS + 1)] = 1.0
        name = backend.client_name
        ports = {
            kind: [f"{name}:{port}" for port in group] for kind, group in (("inputs", INPUT_PORTS), ("outputs", OUTPUT_PORTS))
        }
        with probe(clicks, **ports) as ends:
            wait_until(lambda: engine.status().state == "separated")
            latency = engine.latency.frames
            ranges = {
                "forwards": [latency_range(port, CAPTURE) for port in ends.sink.inports],
                "backwards": [latency_range(port, PLAYBACK) for port in ends.source.outports],
            }
            heard = ends.run(EVERY * (CLICKS + 1), freewheel=False)
        blocks = np.nan_to_num(heard[:, EVERY:]).reshape(len(OUTPUT_PORTS), CLICKS, EVERY)
        found = {
            "rate": engine.stream.rate,
            "block": engine.stream.block,
            "latency": latency,
            "delays": blocks.argmax(axis=2).tolist(),
            "heights": blocks.max(axis=2).tolist(),
            **ranges,
        }
    print("SEEN " + json.dumps(found))


if __name__ == "__main__":
    main()
