"""rtsep as an external insert of a real DAW: what Ardour sends through JACK and records again lies where it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.engine.session import Engine
from tests.io.jack_probe import engine_on_jack
from tests.jack_server import StartServer
from tests.plugin import ardour

pytestmark = [
    pytest.mark.slow,
    pytest.mark.jack,
    pytest.mark.skipif(not ardour.AVAILABLE, reason="needs the Debian package ardour, which is too large for every run"),
]

RESAMPLER = 16
"""Frames that Ardour's own ports add (its resampler for varispeed)."""

TRACKS = """
AudioEngine:set_backend("None (Dummy)", "", "")
local s = load_session("@folder@", "song")
for _, name in ipairs({"mix", "vocals"}) do
  s:new_audio_track(2, 2, nil, 1, name, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
end
ARDOUR.LuaAPI.usleep(1000000)  -- it connects new tracks by itself, in a thread of its own
s:save_state("")
close_session()
quit()
"""

RECORD = """
AudioEngine:set_backend("JACK", "ardour", "")
local s = load_session("@folder@", "song")
for _, name in ipairs({"mix", "vocals"}) do
  local track = s:route_by_name(name):to_track()
  local reach = track:input():audio(0):private_latency_range(false)
  print("LATENCY " .. reach.min .. " " .. reach.max)
  track:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
end
ARDOUR.LuaAPI.usleep(500000)
s:goto_start(false)
ARDOUR.LuaAPI.usleep(500000)
s:maybe_enable_record()
s:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
for _ = 1, 600 do
  if s:transport_sample() > @frames@ then break end
  ARDOUR.LuaAPI.usleep(50000)
end
s:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep(1500000)
s:save_state("")
ARDOUR.LuaAPI.usleep(500000)
close_session()
quit()
"""


@pytest.fixture
def song() -> NDArray[np.float32]:
    """Four seconds of 16-bit noise at a quarter of full scale: its half has no rounding."""
    rng = np.random.default_rng(7)
    return (rng.integers(-(2**13), 2**13, (2, 4 * ardour.RATE)) / 2**15).astype(np.float32)


@pytest.fixture
def engine(jack_server: StartServer) -> Iterator[Engine]:
    """An engine on a JACK server that waits for late clients."""
    jack_server(rate=ardour.RATE, period=1024)
    with engine_on_jack(tier="46ms") as (running, _):
        yield running


def test_what_goes_through_the_jack_insert_is_recorded_where_it_was(
    engine: Engine, tmp_path: Path, song: NDArray[np.float32]
) -> None:
    session = ardour.Session(tmp_path / "daw", song, None)
    session.lua(TRACKS)
    session.wire({"song/audio_out": "rtsep:in_", "mix/audio_in": "rtsep:mix_", "vocals/audio_in": "rtsep:vocals_"})
    said = session.lua(RECORD.replace("@frames@", str(3 * ardour.RATE)))
    reported = engine.latency.frames + RESAMPLER
    assert re.findall(r"LATENCY (\d+) (\d+)", said) == [(str(reported), str(reported))] * 2
    for track, share in (("mix", 1.0), ("vocals", 0.5)):
        position, take = session.captured(track)
        there = song[:, position : position + take.shape[1]] * np.float32(share)
        assert take.shape[1] > 2 * ardour.RATE
        # Before the first frame that has gone round Ardour has nothing to record; from then on every frame is the song's.
        np.testing.assert_array_equal(take[:, reported:], there[:, reported:])
