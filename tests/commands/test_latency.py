"""`rtsep latency`: every term of the delay with its reason, and a cable that is measured."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import jack
import numpy as np
import pytest

from rtsep.cli import main
from rtsep.commands.latency import EXPLANATIONS
from rtsep.engine.latency import live_budget
from rtsep.models import registry
from tests.jack_server import StartServer

TIERS = [(card.name, tier.name) for card in registry.catalogue() for tier in card.tiers if not tier.whole_file]


@pytest.mark.parametrize(("model", "tier"), TIERS)
@pytest.mark.parametrize("rate", [44_100, 48_000, 192_000])
@pytest.mark.parametrize("block", [256, 333])
def test_every_term_is_printed_with_its_reason_and_they_add_up(
    model: str, tier: str, rate: int, block: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["latency", "--model", model, "--tier", tier, "--rate", str(rate), "--block", str(block)]
    assert main(words) == 0
    _, *terms, total = capsys.readouterr().out.splitlines()
    budget = live_budget(registry.describe(model, tier, rate=rate), block)
    printed = [re.fullmatch(r"(.+?) +(\d+) frames +[\d.]+ ms  (.+)", line) for line in terms]
    assert all(printed), terms
    assert [(line[1], int(line[2])) for line in printed if line] == [(term.name, term.frames) for term in budget.terms]
    assert all(len(line[3]) > 30 for line in printed if line)
    assert f"{budget.frames} frames" in total
    assert sum(term.frames for term in budget.terms) == budget.frames


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_every_explanation_belongs_to_a_term_that_exists(name: str) -> None:
    specs = [registry.describe(model, tier, rate=rate) for model, tier in TIERS for rate in (44_100, 48_000)]
    terms = {term.name for spec in specs for term in live_budget(spec, 333, reserve=1).terms}
    assert any(name in term for term in terms)


class Cable:
    """A JACK client that hands on what it hears after some frames."""

    def __init__(self, frames: int) -> None:
        self.client = jack.Client("cable", no_start_server=True)
        into, out = self.client.inports.register("in"), self.client.outports.register("out")
        late = np.zeros(frames, np.float32)

        @self.client.set_process_callback
        def process(n: int) -> None:
            nonlocal late
            both = np.concatenate([late, into.get_array()])
            out.get_array()[:], late = both[:n], both[n:]

        self.client.activate()

    def plug_in(self) -> None:
        """Wait for PortAudio's stream, and connect."""
        until = time.monotonic() + 60.0
        while time.monotonic() < until:
            if self.client.get_ports("PortAudio:out_0") and self.client.get_ports("PortAudio:in_0"):
                self.client.connect("PortAudio:out_0", "cable:in")
                self.client.connect("cable:out", "PortAudio:in_0")
                return
            time.sleep(0.02)
        raise TimeoutError("PortAudio opened no stream")

    def close(self) -> None:
        """Leave the server."""
        self.client.deactivate()
        self.client.close()


def through_a_cable(frames: int) -> int:
    """What `rtsep latency --loop` says of a cable."""
    cable = Cable(frames)
    command = [sys.executable, "-m", "rtsep.cli", "latency", "--loop", "-i", "system", "-o", "system"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            cable.plug_in()
            out, err = process.communicate(timeout=120.0)
        finally:
            process.kill()
            cable.close()
    found = re.search(r"converter, driver and cable: (\d+) frames", out)
    assert found, err
    return int(found[1])


@pytest.mark.jack
def test_a_longer_cable_is_measured_as_longer_to_the_frame(jack_server: StartServer) -> None:
    jack_server(period=256, rate=48_000)
    assert through_a_cable(777) - through_a_cable(0) == 777
