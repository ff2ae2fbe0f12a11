"""The LV2 in jalv, under JACK: found, wired by name, exact in freewheel, with the port by which LV2 hosts announce exports."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jack
import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.io.bridge import instances, open_instance
from rtsep.realtime import layout as at
from tests.io.jack_probe import probe
from tests.jack_server import StartServer, jack_server  # noqa: F401  a fixture
from tests.plugin.conftest import Bridge

SIDES = ("L", "R")
STEMS = ("mix", "vocals", "drums", "bass", "other")


@pytest.fixture
def jalv(plugins: Path, bridge: Bridge, place: Path, jack_server: StartServer, until: Callable[..., None]) -> Iterator[None]:  # noqa: F811
    """The host with the multi-output plug-in, waiting for the model as an export does."""
    if shutil.which("jalv") is None:
        pytest.skip("needs the Debian package jalv")
    jack_server(period=256)
    command = ["jalv", "-i", "-n", "plug", "-c", "offline=1", "urn:rtsep:plugin:stems"]
    host = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LV2_PATH": str(plugins)},
    )
    client = jack.Client("looker", no_start_server=True)
    until(lambda: len(client.get_ports("plug:.*", is_output=True, is_audio=True)) == 10)
    yield
    client.close()
    host.terminate()
    host.wait(10)
    assert host.stdin is not None
    host.stdin.close()


@pytest.mark.jack
@pytest.mark.usefixtures("jalv")
def test_mix_and_stems_are_exact_through_jalv(place: Path, music: NDArray[np.float32], until: Callable[..., None]) -> None:
    until(lambda: len(instances(place)) == 1)  # made when the plug-in is activated, after its ports
    [path] = instances(place)
    segment = open_instance(path)
    until(lambda: bool(segment.header[at.READY] == segment.header[at.EPOCH] > 0))
    latency = int(segment.header[at.LATENCY])
    segment.close()
    frames = 44032
    with probe(
        music[:, :frames],
        inputs=[f"plug:lv2_in_{side}" for side in SIDES],
        outputs=[f"plug:lv2_{stem}_{side}" for stem in STEMS for side in SIDES],
    ) as ends:
        out = ends.run(frames)
    expected = np.concatenate([np.zeros((2, latency), np.float32), music[:, : frames - latency]], axis=1)
    for row, share in enumerate((1, 1 / 2, 1 / 4, 1 / 8, 1 / 8)):
        np.testing.assert_array_equal(out[2 * row : 2 * row + 2], expected * np.float32(share))


def test_the_offline_port_is_the_one_by_which_lv2_hosts_announce_an_export(plugins: Path) -> None:
    for name in ("rtsep-stems", "rtsep-stereo"):
        text = (plugins / f"{name}.lv2" / f"{name}_dsp.ttl").read_text()
        port = text[text.index('lv2:symbol "offline"') :].split("]", 1)[0]
        assert "lv2:designation lv2:freeWheeling" in port
