"""Another tier chosen on the page while the engine runs, and the stems that its spectrogram shows, in Debian's Chromium."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rtsep.control import commands as ask
from rtsep.control.web.frames import BANDS
from rtsep.models import registry
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from tests.web.browser import PROGRAM, Browser, Tab
from tests.web.conftest import TONE_HZ, Show, ready

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs the Debian package chromium")


def spectrogram_shows_the_tone(tab: Tab) -> None:
    band = int(BANDS * np.log(TONE_HZ / 40) / np.log(18_000 / 40))
    y = 191 - 2 * band  # two rows of pixels to a band
    colour = "[...document.getElementById('spectrogram').getContext('2d').getImageData({x}, {y}, 1, 1).data]"
    now, before, octave_up = (colour.format(x=x, y=row) for x, row in ((479, y), (449, y), (479, y - 22)))
    grey, rose = "(([r, g, b]) => r > 100 && r < g && g < b)", "(([r, g, b]) => r > 100 && r > 1.4 * g)"
    for choice, mask, looks in (("input", True, grey), ("vocals", True, rose), ("vocals", False, rose), ("mix", True, grey)):
        source = ["input", *STEMS, "mix"].index(choice)
        tab.run(f"document.querySelectorAll('#sources input')[{source}].click()")
        tab.run(f"if (document.getElementById('mask').checked !== {str(mask).lower()}) document.getElementById('mask').click()")
        tab.wait_for(f"{looks}({now}) && {looks}({before})")  # it scrolls
        assert max(tab.run(octave_up)[:3]) < 60
    tab.run("document.querySelectorAll('#sources input')[2].click()")  # drums: a sixth of the power
    tab.wait_for(f"(([r, g, b]) => r > 30 && r > 1.1 * b && r < 1.5 * b)({now})")


def test_a_tier_is_chosen_on_the_page_while_audio_goes_on(browser: Browser, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = registry.find("spleeter-2stems")[0].package.partition("==")[0]
    monkeypatch.setitem(sys.modules, package, None)  # as if its weights were not here
    show = Show(started=True)
    try:
        tab = ready(browser, show, width=1280, height=800)
        pill = "document.getElementById('pill').textContent"
        tab.wait_for(f"{pill} === 'Separated'")
        assert tab.run("document.getElementById('model').value") == "passthrough 12ms"
        spectrogram_shows_the_tone(tab)
        lacking = "[...document.querySelectorAll('#model option:disabled')]"
        assert "rtsep models pull" in tab.run(f"{lacking}[0].title")
        cycles = int(show.engine.segment.header[at.CYCLES])
        tab.run("document.getElementById('model').focus()")
        tab.press("ArrowDown")
        tab.wait_for("document.getElementById('notice').textContent.includes('passthrough 46ms is loading')")
        tab.wait_for(f"{pill} === 'Loading'")
        tab.wait_for("document.getElementById('reason').textContent.includes('dry is heard')")
        tab.wait_for(f"{pill} === 'Separated'")
        assert show.engine.spec.tier == "46ms"
        assert show.engine.segment.header[at.CYCLES] > cycles
        latency = 1000 * show.engine.latency.frames / show.engine.stream.rate
        tab.wait_for(f"document.getElementById('latency').textContent === '{latency:.1f} ms'")
        tab.wait_for(f"document.getElementById('budget').textContent.includes('{latency:.1f} ms')")
        show.engine.segment.header[at.LATE_HOPS] += 1
        tab.wait_for("document.getElementById('late').dataset.warn === 'yes'")
        tab.wait_for("document.getElementById('late').dataset.warn === 'no'", seconds=60)  # 5 s after the last one
        refused = show.hands.console.execute(ask.ModelChange("cascade"))
        assert "rtsep models pull" in refused.error
        show.hands.console.execute(ask.ModelChange("", "3ms"))  # somebody else
        tab.wait_for("document.getElementById('model').value === 'passthrough 3ms'")
        assert not tab.errors
    finally:
        show.stop()
