"""The JACK client on PipeWire's libjack, on a PipeWire of the test's own: nothing in it knows the difference."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtsep.models.passthrough import SHARES

pytestmark = [
    pytest.mark.jack,
    pytest.mark.skipif(
        not all(map(shutil.which, ("pipewire", "wireplumber", "pw-jack"))),
        reason="needs the Debian packages pipewire, pipewire-jack and wireplumber",
    ),
]

LIMIT_S = 60.0
RATE, QUANTUM = 44_100, 512

_PLACES = {"RUNTIME_DIR": "run", "CONFIG_HOME": "config", "STATE_HOME": "state"}

SETTINGS = f"""
context.properties = {{
  default.clock.rate = {RATE}
  default.clock.allowed-rates = [ {RATE} ]
  default.clock.quantum = {QUANTUM}
}}
"""


@pytest.fixture
def pipewire(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which programs find a PipeWire that has no sound card and a folder of its own."""
    folders = {name: tmp_path / name for name in ("run", "config", "state")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    drop_in = folders["config"] / "pipewire" / "pipewire.conf.d"
    drop_in.mkdir(parents=True)
    (drop_in / "clock.conf").write_text(SETTINGS)
    places = {f"XDG_{what}": str(folders[name]) for what, name in _PLACES.items()}
    environment = {**os.environ, **places, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}  # nobody else's desktop
    with contextlib.ExitStack() as stack:
        for program, sign in (("pipewire", "pipewire-0"), ("wireplumber", "")):
            started = subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(started.wait)
            stack.callback(started.terminate)
            _until_there(folders["run"] / sign)
        yield environment


def _until_there(path: Path) -> None:
    until = time.monotonic() + LIMIT_S
    while not path.exists():
        assert time.monotonic() < until, f"{path} was not made"
        time.sleep(0.05)


def test_clicks_come_through_pipewire_at_the_reported_latency(pipewire: dict[str, str]) -> None:
    command = ["pw-jack", sys.executable, "-m", "tests.io.pipewire_probe"]
    done = subprocess.run(command, env=pipewire, capture_output=True, text=True, timeout=2 * LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.split("SEEN ")[1])
    assert (seen["rate"], seen["block"]) == (RATE, QUANTUM)
    latency = seen["latency"]
    # One range in both directions, least = greatest, at the ends of the graph.
    assert {tuple(reach) for reach in seen["forwards"] + seen["backwards"]} == {(latency, latency)}
    for heights, delays, share in zip(seen["heights"], seen["delays"], _shares(), strict=True):
        heard = [delay for delay, height in zip(delays, heights, strict=True) if height > share / 2]
        assert len(heard) >= len(delays) / 2  # in real time: a busy machine may lose some cycles
        assert set(heard) == {latency}


def _shares() -> list[float]:
    """What passthrough does to a click on the way to each output."""
    return [share for share in (1.0, *SHARES.values()) for _ in range(2)]
