"""Ardour without a screen: a session with one song on one track, plug-ins added by a script, exported to a file.

Ardour's Lua shell cannot import audio, so the region is written into the session file: times are in superclock ticks, and without
fades, so that an export without plug-ins is the song to the last bit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf

from rtsep.models.separator import Audio

RATE = 44100
_SUPERCLOCK = 282_240_000
_TRIES = 8
_WRONG_EXPORTS = 1
"""Ardour 7.3 exports wrongly now and then when it has no screen and little of the processor, also a session without plug-ins: it
ends in a double free (of its PortExportChannel), or loses frames at the beginning. So it is started again after a crash, and one
wrong export is thrown away; both are printed, see `Session.export`."""

_LIBRARIES = "/usr/lib/ardour7"
AVAILABLE = shutil.which("ardour7-lua") is not None

_CREATE = """
AudioEngine:set_backend("None (Dummy)", "", "")
local s = create_session("@folder@", "song", @rate@)
s:new_audio_track(2, 2, nil, 1, "song", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
local last = s:route_by_name("song"):output():audio(1)
for _ = 1, 600 do  -- a thread of Ardour's own connects it to the master; a session saved before that is silent for ever
  if last:connected_to("Master/audio_in 2") then break end
  ARDOUR.LuaAPI.usleep(50000)
end
assert(last:connected_to("Master/audio_in 2"))
s:save_state("")
close_session()
quit()
"""

_ADD = """
AudioEngine:set_backend("None (Dummy)", "", "")
local s = load_session("@folder@", "song")
local track = s:route_by_name("song")
local function add(id, kind, switches)
  local processor = ARDOUR.LuaAPI.new_plugin(s, id, kind, "")
  assert(not processor:isnil(), "no plug-in " .. id)
  assert(track:add_processor_by_index(processor, 0, nil, true) == 0)
  local plugin = processor:to_insert():plugin(0)
  for i = 0, plugin:parameter_count() - 1 do
    local which = plugin:nth_parameter(i, false)
    if switches[plugin:parameter_label(which)] then
      ARDOUR.LuaAPI.set_processor_param(processor, i, 1)
    end
  end
end
local function route(names)
  local flag, out = ARDOUR.PresentationInfo.Flag.AudioBus, track:output()
  track:panner_shell():set_bypassed(true)  -- else the ten outputs are panned as ten loudspeakers
  local master = {"Master/audio_in 1", "Master/audio_in 2"}
  for i = 0, out:n_ports():n_audio() - 1 do
    for _, port in ipairs(master) do out:disconnect(out:audio(i), port, nil) end
  end
  for number, name in ipairs(names) do
    s:new_audio_route(2, 2, nil, 1, name, flag, ARDOUR.PresentationInfo.max_order)
    local bus = s:route_by_name(name):output()
    for i = 0, 1 do
      for _, port in ipairs(master) do bus:disconnect(bus:audio(i), port, nil) end
      bus:connect(bus:audio(i), master[i + 1], nil)
      assert(out:connect(out:audio(2 * number + i), name .. "/audio_in " .. (i + 1), nil) == 0)
    end
  end
end
@adds@
ARDOUR.LuaAPI.usleep(1500000)
print("LATENCY " .. track:to_track():signal_latency())
s:save_state("")
close_session()
quit()
"""


_OFF = (
    "muted",
    "locked",
    "video-locked",
    "automatic",
    "whole-file",
    "import",
    "external",
    "sync-marked",
    "left-of-split",
    "right-of-split",
    "hidden",
    "position-locked",
    "valid-transients",
    "layering-index",
    "envelope-active",
    "default-fade-in",
    "default-fade-out",
    "fade-in-active",
    "fade-out-active",
)
"""Attributes of a region that has nothing done to it."""


class Session:
    """A session in a folder of its own, with a home of its own.

    Args:
        folder: empty.
        song: `[2, frames]`, on the track from the first frame on.
        plugins: folder of the built plug-ins; None for a session without.

    Attributes:
        folder: of the session.
    """

    def __init__(self, folder: Path, song: Audio, plugins: Path | None) -> None:
        self.folder = folder / "session"
        self._home = folder / "home"
        self._environment = {**os.environ, "HOME": str(self._home), "LV2_PATH": str(folder / "lv2")}
        self._home.mkdir(parents=True)
        if plugins is not None:
            self._install(folder, plugins)
        self.lua(_CREATE.replace("@rate@", str(RATE)))
        sf.write(self.folder / "interchange/session/audiofiles/song.wav", song.T, RATE, subtype="FLOAT")
        self._place(song.shape[1])

    def _install(self, folder: Path, plugins: Path) -> None:
        self._bundles(plugins, folder / "lv2", "lv2")
        self._bundles(plugins, self._home / ".vst3", "vst3")
        for bundle in (self._home / ".vst3").iterdir():
            scanner = [f"{_LIBRARIES}/ardour-vst3-scanner", "-f", str(bundle)]
            self._call(scanner, LD_LIBRARY_PATH=_LIBRARIES)

    def _bundles(self, plugins: Path, into: Path, suffix: str) -> None:
        for bundle in plugins.glob(f"*.{suffix}"):
            shutil.copytree(bundle, into / bundle.name)

    def _call(self, command: list[str], **extra: str) -> str:
        environment = {**self._environment, **extra}
        for _ in range(_TRIES):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=120, check=False, env=environment, stdin=subprocess.DEVNULL
            )
            if done.returncode >= 0:
                break
            print(f"{Path(command[0]).name} ended by signal {-done.returncode}: {done.stderr.strip()[-200:]}")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lua(self, script: str) -> str:
        """Run a script in Ardour's Lua shell; `@folder@` in it is the session. Returns what it printed."""
        path = self._home.parent / "script.lua"
        path.write_text(script.replace("@folder@", str(self.folder)))
        return self._call(["ardour7-lua", str(path)])

    def _place(self, frames: int) -> None:
        length = frames * _SUPERCLOCK // RATE
        no = dict.fromkeys(_OFF, "0")
        region = {
            "name": "song",
            "opaque": "1",
            **no,
            "start": "a0",
            "length": f"a{length}@a0",
            "sync-position": "a0",
            "ancestral-start": "a0",
            "ancestral-length": "a0@a0",
            "stretch": "1",
            "shift": "1",
            "scale-amplitude": "1",
            "id": "903",
            "type": "audio",
            "first-edit": "nothing",
            "source-0": "900",
            "source-1": "901",
            "master-source-0": "900",
            "master-source-1": "901",
            "channels": "2",
        }
        attributes = " ".join(f'{name}="{value}"' for name, value in region.items())
        sources = "".join(
            f'<Source name="song.wav" type="audio" flags="" id="{900 + c}" channel="{c}" origin="" captured-for="" gain="1"/>'
            for c in (0, 1)
        )
        ends = f'start="a0" end="a{length}" flags="IsSessionRange" locked="0" timestamp="0" cue="0"'
        whole = f'<Location id="950" name="session" {ends}/>'
        path = self.folder / "song.ardour"
        text = path.read_text()
        text = text.replace("<Sources/>", f"<Sources>{sources}</Sources>")
        text = text.replace('combine-ops="0"/>', f'combine-ops="0"><Region {attributes}/></Playlist>', 1)
        text = text.replace("<Locations/>", f"<Locations>{whole}</Locations>")
        path.write_text(re.sub(r'id-counter="\d+"', 'id-counter="2000"', text))

    def add(self, *plugins: tuple[str, str, tuple[str, ...]], buses: tuple[str, ...] = ()) -> int:
        """Put plug-ins on the track; returns the latency that Ardour compensates.

        Args:
            plugins: identifier, kind (`LV2` or `VST3`), and the labels of the switches to turn on.
            buses: made and fed from the track's third and fourth output, its fifth and sixth, …, in place of the first two.
        """
        calls = []
        for name, kind, switches in plugins:
            on = ", ".join(f'["{switch}"] = true' for switch in switches)
            calls.append(f'add("{name}", ARDOUR.PluginType.{kind}, {{{on}}})')
        if buses:
            calls.append("route({" + ", ".join(f'"{name}"' for name in buses) + "})")
        adds = "\n".join(calls)
        said = self.lua(_ADD.replace("@adds@", adds))
        found = re.search(r"LATENCY (\d+)", said)
        assert found, said
        return int(found.group(1))

    def wire(self, wires: dict[str, str]) -> None:
        """Connect ports of tracks to ports of JACK instead, and have takes aligned with what is heard while they are recorded.

        Written into the session, because Ardour asks connected ports for their latency when it loads a session and not later.

        Args:
            wires: beginning of a JACK port's name by that of a track's, without the number of the channel.
        """
        path = self.folder / "song.ardour"
        text = path.read_text()
        for ours, theirs in wires.items():
            for channel in (1, 2):
                text = text.replace(f'<Connection other="{ours} {channel}"/>', "")  # both ends of a connection name the other
                name = f'<Port type="audio" name="{ours} {channel}"'
                port = re.compile(f"{name}(/>|>.*?</Port>)", re.DOTALL)
                text, count = port.subn(f'{name}><Connection other="{theirs}{channel}"/></Port>', text)
                assert count == 1, name
        path.write_text(re.sub(r'alignment-choice="\w+"', 'alignment-choice="UseExistingMaterial"', text))

    def export(self) -> Audio:
        """Export the session; returns `[2, frames]`.

        Because Ardour's own export is not reliable here, only a result counts that comes a second time. Lest a fault of the
        plug-in be outvoted, at most one other is thrown away, and it is told.
        """
        seen: list[Audio] = []
        while True:
            out = self._home.parent / f"export-{len(seen)}.wav"
            self._call(["ardour7-export", "-b", "float", "-o", str(out), str(self.folder), "song"])
            heard = sf.read(out, dtype="float32")[0].T
            if any(np.array_equal(heard, before) for before in seen):
                self._tell_others(heard, seen)
                return heard
            seen.append(heard)
            assert len(seen) <= 1 + _WRONG_EXPORTS, "\n".join(map(_described, seen))

    def _tell_others(self, right: Audio, seen: list[Audio]) -> None:
        for wrong in (one for one in seen if not np.array_equal(one, right)):
            print(f"one export was thrown away: {_described(wrong)}; the right one: {_described(right)}")

    def captured(self, track: str) -> tuple[int, Audio]:
        """Return where on the timeline a take of a track begins, in frames, and the take, `[2, frames]`."""
        regions = re.findall(r"<Region [^>]*>", (self.folder / "song.ardour").read_text())
        [region] = [tag for tag in regions if f'name="Take1_{track}-1.1"' in tag]
        place = re.search(r'start="a(\d+)" length="a(\d+)@a(\d+)"', region)
        assert place, region
        skipped, length, position = (int(ticks) * RATE // _SUPERCLOCK for ticks in place.groups())
        files = self.folder / "interchange/session/audiofiles"
        sides = [sf.read(files / f"Take1_{track}-1%{side}.wav", dtype="float32")[0] for side in "LR"]
        return position, np.stack(sides)[:, skipped : skipped + length]


def _described(export: Audio) -> str:
    """What tells one export from another: its length, and where sound begins and ends in it."""
    sound = np.flatnonzero(export.any(axis=0))
    where = f"sound from {sound[0]} to {sound[-1]}" if sound.size else "silence"
    return f"{export.shape[1]} frames, {where}"
