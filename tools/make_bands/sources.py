"""Everything the songs are made of, with licence and attribution; each song's manifest rows cite what it used.

Debian packages: mma libfluidsynth3 fluid-soundfont-gm musescore-general-soundfont-lossless fluidr3mono-gm-soundfont
timgm6mb-soundfont opl3-soundfont avldrums.lv2-soundfont hydrogen-drumkits hydrogen-data sonic-pi-samples
freedoom planetblupi-music-midi
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOUNDFONTS = Path("/usr/share/sounds")
SONIC_PI = Path("/usr/share/sonic-pi/samples")
KITS = Path("/usr/share/hydrogen/data/drumkits")


@dataclass(frozen=True)
class Origin:
    """A work that songs are made of: who made it, under which licence, in which Debian package."""

    attribution: str
    licence: str
    package: str


SOURCES = {
    "musescore": Origin(
        "MuseScore General: S. Christian Collins, Frank Wen, Michael Cowgill", "MIT", "musescore-general-soundfont-lossless"
    ),
    "fluid": Origin("Fluid (R3) GM: Frank Wen", "MIT", "fluid-soundfont-gm"),
    "fluidmono": Origin("FluidR3Mono: Frank Wen, Michael Cowgill", "MIT", "fluidr3mono-gm-soundfont"),
    "timgm": Origin("TimGM6mb: Tim Brechbill", "GPL-2", "timgm6mb-soundfont"),
    "opl3": Origin("OPL-3 FM 128M: Zandro Reveille", "CC BY-SA 4.0", "opl3-soundfont"),
    "blackpearl": Origin("AVL Drumkits Black Pearl: Glen MacArthur", "CC BY-SA 3.0", "avldrums.lv2-soundfont"),
    "redzeppelin": Origin("AVL Drumkits Red Zeppelin: Glen MacArthur", "CC BY-SA 3.0", "avldrums.lv2-soundfont"),
    "BJA_Pacific": Origin("BJA Pacific kit: Luc Tunguay", "CC BY-SA 3.0 US", "hydrogen-drumkits"),
    "Audiophob": Origin("Audiophob kit: soundcloud.com/audiophobdubstep", "CC0 1.0", "hydrogen-drumkits"),
    "ColomboAcousticDrumkit": Origin("Colombo Acoustic Drumkit: Marcos Guglielmetti", "GPL-2+", "hydrogen-drumkits"),
    "ElectricEmpireKit": Origin("ElectricEmpireKit: Artemiy Pavlov", "GPL-2+", "hydrogen-drumkits"),
    "HardElectro1": Origin("HardElectro1: Artemiy Pavlov", "GPL-2+", "hydrogen-drumkits"),
    "VariBreaks": Origin("VariBreaks: Artemiy Pavlov", "GPL-2+", "hydrogen-drumkits"),
    "ForzeeStereo": Origin("Forzee Stereo Drumkit: V. Sadovnikov, A. Belokurov", "GPL-2", "hydrogen-drumkits"),
    "Gimme A Hand 1.0": Origin("Gimme A Hand: Glen MacArthur", "GPL-2", "hydrogen-drumkits"),
    "The Black Pearl 1.0": Origin("The Black Pearl: Glen MacArthur", "GPL-2", "hydrogen-drumkits"),
    "Millo-Drums_v.1": Origin("Millo-Drums: Emiliano Grilli", "GPL-2", "hydrogen-drumkits"),
    "Millo_MultiLayered2": Origin("Millo MultiLayered 2: Emiliano Grilli", "GPL-2", "hydrogen-drumkits"),
    "GMRockKit": Origin("GMRockKit: Glen MacArthur, Sebastian Moors", "GPL-2+", "hydrogen-data"),
    "TR808EmulationKit": Origin("TR808EmulationKit: Artemiy Pavlov", "GPL-2+", "hydrogen-data"),
    "sonicpi": Origin("samples of Sonic Pi: people of freesound.org, Samuel Aaron", "CC0 1.0", "sonic-pi-samples"),
    "mma": Origin("grooves of MMA (Musical MIDI Accompaniment): Bob van der Poel and contributors", "GPL-2+", "mma"),
    "freedoom": Origin("music of the Freedoom project: its contributors (CREDITS)", "BSD-3-Clause", "freedoom"),
    "planetblupi": Origin("music of Planet Blupi: Mathieu Schroeter, Epsitec SA", "GPL-3+", "planetblupi-music-midi"),
    "own": Origin("composed or synthesised for this set", "CC0 1.0", "synthesised"),
}

FONTS = {
    "musescore": SOUNDFONTS / "sf2/MuseScore_General_Full.sf2",
    "fluid": SOUNDFONTS / "sf2/FluidR3_GM.sf2",
    "fluidmono": SOUNDFONTS / "sf3/FluidR3Mono_GM.sf3",
    "timgm": SOUNDFONTS / "sf2/TimGM6mb.sf2",
    "opl3": SOUNDFONTS / "sf2/OPL-3_FM_128M.sf2",
    "blackpearl": SOUNDFONTS / "sf2/Black_Pearl_4_LV2.sf2",
    "redzeppelin": SOUNDFONTS / "sf2/Red_Zeppelin_4_LV2.sf2",
}
