"""Is everything installed that rtsep uses: Python, its packages, the system's libraries, models' weights?"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator

from rtsep.errors import DeviceError, RtsepError
from rtsep.evaluation.findings import Finding, fail, ok, warn
from rtsep.io import jack_client, portaudio
from rtsep.io.listing import audio_devices, jack_server, midi_inputs
from rtsep.models import registry, weights
from rtsep.models.card import ModelCard

PYTHONS = ((3, 11), (3, 12))
"""Versions for which every dependency has wheels."""


def python() -> Finding:
    """The interpreter."""
    version = sys.version.split()[0]
    if sys.version_info[:2] in PYTHONS:
        return ok("Python", version)
    advice = "Install one of them, for example: apt install python3.11-venv"
    return warn("Python", f"{version}; rtsep is tested on 3.11 and 3.12", advice)


def packages() -> Iterator[Finding]:
    """Packages that rtsep depends on, with their versions in one line, and a line for each that is missing."""
    try:
        required = importlib.metadata.requires("rtsep") or []
    except importlib.metadata.PackageNotFoundError:
        yield fail("Packages", "rtsep itself is not installed as a package", "Type in its folder: tools/rtsep doctor")
        return
    found, missing = [], []
    for requirement in required:
        name, _, condition = requirement.partition(";")
        if "extra ==" in condition or ("sys_platform" in condition and f"'{sys.platform}'" not in condition):
            continue
        name = re.split(r"[<>=!~\[ ]", name.strip(), maxsplit=1)[0]
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield ok("Packages", ", ".join(found))
    for name in missing:
        yield fail("Packages", f"{name} is missing", f"Install it with: pip install {name}")


def libraries() -> Iterator[Finding]:
    """PortAudio, JACK and ffmpeg: each serves one way in or out, none is essential."""
    for what, load in (("libportaudio2", portaudio.load_library), ("libjack", jack_client.load_library)):
        try:
            load()
            yield ok(what, "installed")
        except DeviceError as error:
            sentence, _, advice = str(error).partition(" Install it ")
            yield warn(what, sentence, f"Install it {advice}" if advice else "")
    if shutil.which("ffmpeg") and shutil.which("ffprobe"):
        yield ok("ffmpeg", "installed")
    else:
        why = "not installed; formats beyond WAV, FLAC, MP3, OGG and AIFF need it"
        yield warn("ffmpeg", why, "Install it with: apt install ffmpeg")


def connections() -> Iterator[Finding]:
    """What there is to play through and to move faders with."""
    devices, _ = audio_devices()
    server, _ = jack_server()
    if devices or server:
        jack = [f"JACK at {server.rate} Hz, {server.block} frames"] if server else []
        yield ok("Audio", "; ".join([*jack, *map(str, devices)]))
    else:
        yield warn("Audio", "no sound card and no JACK server", "Files still work: rtsep separate SONG")
    ports, no_port = midi_inputs()
    yield warn("MIDI", no_port) if no_port else ok("MIDI", ", ".join(port.name for port in ports))


def model_weights() -> Iterator[Finding]:
    """The weights of every model: there, and what they should be."""
    for card in registry.catalogue():
        yield _weights_of(card)


def _weights_of(card: ModelCard) -> Finding:
    what = f"Weights of {card.name}"
    if card.package and not (weights.folder(card.name) / weights.MANIFEST).is_file():
        return warn(what, "not converted yet; the first start does it", f"Now: rtsep models pull {card.name}")
    try:
        registry.load(card.name, card.live_tier)
    except RtsepError as error:
        return fail(what, str(error))
    return ok(what, "verified" if card.package else "part of rtsep")
