"""In a real DAW: Ardour loads the plug-ins, compensates their latency, and exports to the last bit what they play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.plugin import ardour
from tests.plugin.conftest import Bridge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ardour.AVAILABLE, reason="needs the Debian package ardour, which is too large for every run"),
]

STEMS = "urn:rtsep:plugin:stems"
LV2 = "urn:rtsep:plugin:stereo"
VST3 = "2046504473616C635373745200000000"
VST3_STEMS = "2046504473616C634D73745200000000"


@pytest.fixture
def quiet(music: NDArray[np.float32]) -> NDArray[np.float32]:
    """A quarter of full scale, so that nothing is near Ardour's ceiling."""
    return music / 4


@pytest.mark.parametrize(
    ("name", "kind", "switches"),
    [
        (LV2, "LV2", ("Vocals mute",)),
        (VST3, "VST3", ("Vocals mute",)),
    ],
)
def test_an_export_through_the_plug_in_is_in_time_and_separated(
    plugins: Path, bridge: Bridge, tmp_path: Path, quiet: NDArray[np.float32], name: str, kind: str, switches: tuple[str, ...]
) -> None:
    session = ardour.Session(tmp_path / "daw", quiet, plugins)
    np.testing.assert_array_equal(session.export(), quiet)
    assert session.add((name, kind, switches)) >= 1024
    np.testing.assert_array_equal(session.export(), quiet / 2)  # vocals are half of the passthrough model's mix


def test_two_instances_on_one_track_add_their_latencies(
    plugins: Path, bridge: Bridge, tmp_path: Path, quiet: NDArray[np.float32]
) -> None:
    session = ardour.Session(tmp_path / "daw", quiet, plugins)
    both = session.add((LV2, "LV2", ()), (LV2, "LV2", ()))
    assert both >= 2048
    np.testing.assert_array_equal(session.export(), quiet)


@pytest.mark.parametrize(("name", "kind"), [(STEMS, "LV2"), (VST3_STEMS, "VST3")])
def test_four_stems_on_four_buses_add_up_to_the_song(
    plugins: Path, bridge: Bridge, tmp_path: Path, quiet: NDArray[np.float32], name: str, kind: str
) -> None:
    session = ardour.Session(tmp_path / "daw", quiet, plugins)
    session.add((name, kind, ()), buses=("vocals", "drums", "bass", "other"))
    np.testing.assert_array_equal(session.export(), quiet)


@pytest.mark.parametrize(("name", "kind"), [(STEMS, "LV2"), (VST3_STEMS, "VST3")])
def test_a_stem_that_is_muted_in_the_plug_in_is_missing_on_its_bus(
    plugins: Path, bridge: Bridge, tmp_path: Path, quiet: NDArray[np.float32], name: str, kind: str
) -> None:
    session = ardour.Session(tmp_path / "daw", quiet, plugins)
    session.add((name, kind, ("Drums mute",)), buses=("vocals", "drums", "bass"))
    np.testing.assert_array_equal(session.export(), quiet * np.float32(5 / 8))
