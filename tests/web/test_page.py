"""The page in Debian's Chromium: a hand moves a control there, and the engine's gain changes; and the other way round."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rtsep.control.params import PARAMS, Param, add_params
from rtsep.control.web.launcher import MixerPage
from rtsep.realtime import layout as at
from rtsep.realtime.midi import receive
from rtsep.stems import STEMS
from tests.web.browser import PROGRAM, Browser, Tab
from tests.web.conftest import Show, ready

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs the Debian package chromium")


@pytest.fixture(scope="module")
def page(browser: Browser, show: Show) -> Tab:
    return ready(browser, show, width=1280, height=800)


OVERLAPS = """
(() => {
  const kinds = 'h1, h2, button, input, select, canvas, meter, dt, dd, .level, .members, #pill, #latency';
  const seen = [...document.querySelectorAll(kinds)].filter((one) => one.offsetParent !== null);
  const places = seen.map((one) => one.getBoundingClientRect());
  const said = (one) => `${one.tagName} ${one.id} ${one.className} ${one.getAttribute('aria-label') ?? one.textContent}`;
  const found = [];
  places.forEach((a, i) => places.slice(i + 1).forEach((b, k) => {
    const [one, other] = [seen[i], seen[i + 1 + k]];
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1 && !one.contains(other) && !other.contains(one)) found.push(`${said(one)} | ${said(other)}`);
  }));
  const texts = seen.filter((one) => one.matches('h2, dd, dt, .level, button'));
  for (const one of texts) if (one.scrollWidth > one.clientWidth + 1) found.push(`cut: ${said(one)}`);
  return found;
})()
"""
"""Pairs of things that cover each other, and texts that do not fit."""


def slider(name: str) -> str:
    return f'[data-param="{name}"]'


def shows(page: Tab, name: str, attribute: str, wanted: str) -> None:
    """Wait until the control of a parameter says this."""
    page.wait_for(f"document.querySelector('{slider(name)}').getAttribute('{attribute}') === '{wanted}'")


def test_dragging_a_fader_changes_the_gain_in_the_engine(page: Tab, show: Show) -> None:
    name = "stem.drums.gain_db"
    show.params.set(name, 0.0)
    shows(page, name, "aria-valuetext", "0.0 dB")
    x, y, width, height = page.box(slider(name))
    page.drag((x + width / 2, y + 0.27 * height), (x + width / 2, y + 0.75 * height))
    text = page.run(f"document.querySelector('{slider(name)}').getAttribute('aria-valuetext')")
    until_same(page, show, name, float(text.removesuffix(" dB")))
    assert -30 < show.params.get(name) < -6


def eventually(wanted: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.01)


def until_same(page: Tab, show: Show, name: str, wanted: float) -> None:
    for _ in range(200):
        if abs(show.params.get(name) - wanted) <= 0.06:
            return
        page.run("new Promise((later) => setTimeout(later, 20))")
    raise AssertionError(f"{name} is {show.params.get(name)}, not {wanted}")


def test_what_somebody_else_moves_is_shown(page: Tab, show: Show) -> None:
    show.params.set("stem.bass.gain_db", -12.3)
    show.params.set("stem.bass.mute", 1)
    shows(page, "stem.bass.gain_db", "aria-valuetext", "-12.3 dB")
    shows(page, "stem.bass.mute", "aria-pressed", "true")


def test_two_clients_agree(browser: Browser, page: Tab, show: Show) -> None:
    other = ready(browser, show, width=360, height=740)
    other.click(slider("stem.other.mute"))
    shows(page, "stem.other.mute", "aria-pressed", "true")
    assert show.params.get("stem.other.mute") == 1.0


def test_keys_move_a_fader_by_half_a_decibel(page: Tab, show: Show) -> None:
    name = "stem.vocals.gain_db"
    page.run(f"document.querySelector('{slider(name)}').focus()")
    page.press("0")
    until_same(page, show, name, 0.0)
    for key, wanted in (("ArrowUp", 0.5), ("ArrowDown", 0.0), ("PageDown", -3.0), ("Home", -120.0), ("End", 12.0)):
        page.press(key)
        until_same(page, show, name, wanted)


def test_a_shifted_click_solos_one_stem_alone(page: Tab, show: Show) -> None:
    page.click(slider("stem.vocals.solo"))
    until_same(page, show, "stem.vocals.solo", 1.0)
    page.click(slider("stem.drums.solo"), shift=True)
    until_same(page, show, "stem.drums.solo", 1.0)
    assert [show.params.get(f"stem.{stem}.solo") for stem in STEMS] == [0, 1, 0, 0]


def test_a_screen_reader_hears_names_and_decibels(page: Tab, show: Show) -> None:
    show.params.set("stem.vocals.gain_db", -6.0)
    shows(page, "stem.vocals.gain_db", "aria-valuetext", "-6.0 dB")
    nodes = page.accessibility()
    sliders = {node["name"] for node in nodes if node["role"] == "slider"}
    assert {"Vocals level", "Drums level", "Bass level", "Other level", "Mix level", "Vocals pan", "Vocals width"} <= sliders
    assert all(node["name"] for node in nodes if node["role"] in ("button", "slider", "checkbox", "radio", "textbox"))


def test_snapshots_are_stored_and_recalled_by_hand(page: Tab, show: Show) -> None:
    show.params.set("stem.vocals.gain_db", -9.0)
    page.run("document.getElementById('name').value = 'verse 1'")
    page.click("#store button[type=submit]")
    page.wait_for("document.querySelector('#snapshots button')?.textContent === 'verse 1'")
    show.params.set("stem.vocals.gain_db", 0.0)
    page.click("#snapshots button")
    until_same(page, show, "stem.vocals.gain_db", -9.0)


def test_a_controller_is_learned_by_clicking_and_moving_it(page: Tab, show: Show) -> None:
    page.click("#learn")
    page.click(slider("stem.vocals.pan"))
    page.wait_for("document.getElementById('notice').textContent.includes('stem.vocals.pan')")
    for value in range(20, 90, 2):
        receive(show.engine.context.words, 0xB2, 33, value)
    page.wait_for("document.getElementById('notice').textContent.includes('Learned stem.vocals.pan')")
    for value in range(0, 128):  # past where the fader stands: pickup
        receive(show.engine.context.words, 0xB2, 33, value)
    assert show.params.get("stem.vocals.pan") == 1.0
    page.wait_for("document.getElementById('learn').getAttribute('aria-pressed') === 'false'")


def test_meters_say_peak_rms_true_peak_and_loudness_of_the_mix(page: Tab, show: Show) -> None:
    for name, param in PARAMS.items():
        show.params.set(name, param.default)
    numbers = "[...document.querySelectorAll('[aria-label=Mix] .levels dd')].map((number) => Number(number.textContent))"
    page.wait_for(f"((n) => Math.abs(n[0] + 20) < 0.2 && Math.abs(n[1] + 23) < 0.2 && Math.abs(n[3] + 20.5) < 0.5)({numbers})")
    page.click("#restart")
    page.wait_for(f"Math.abs(({numbers})[2] + 20) < 0.2")
    page.wait_for("document.getElementById('lufs').textContent.startsWith('-20.')")
    assert page.run("document.getElementById('input').textContent") == "-20.0 dB"


def test_the_clip_lamp_stays_lit_until_it_is_clicked(page: Tab, show: Show) -> None:
    lamp = "document.querySelector('[aria-label=\"Mix\"] .clip').dataset.lit"
    loud = [f"stem.{stem}.gain_db" for stem in STEMS] + ["master.gain_db"]
    for gain_db in (12.0, 0.0):  # -20 dBFS and twice 12 dB are too much
        for name in loud:
            show.params.set(name, gain_db)
        blocks = int(show.engine.segment.header[at.CYCLES])
        eventually(lambda blocks=blocks: show.engine.segment.header[at.CYCLES] > blocks + 4)
        page.wait_for(f"{lamp} === 'yes'")
    page.click("[aria-label=Mix] .clip")
    page.wait_for(f"{lamp} === 'no'")
    assert show.engine.segment.header[at.CLIPPED] == 0


def test_nothing_moves_when_a_sentence_comes_or_goes(page: Tab) -> None:
    places = "[...document.querySelectorAll('main button, main input')].map((one) => one.getBoundingClientRect().top)"
    page.run("document.getElementById('notice').textContent = ''")
    before = page.run(places)
    page.run("document.getElementById('notice').textContent = 'Learned stem.vocals.pan.'")
    assert page.run(places) == before
    box = page.box("#notice")
    inside = f"document.elementFromPoint({box[0] + 5}, {box[1] + 5})?.id"
    assert page.run(inside) != "notice", "what lies below can be touched"
    page.run("document.getElementById('notice').textContent = ''")


def test_a_fader_that_is_off_says_so_in_words(page: Tab, show: Show) -> None:
    show.params.set("stem.bass.gain_db", -120.0)
    shows(page, "stem.bass.gain_db", "aria-valuetext", "silent")
    show.params.set("stem.bass.gain_db", 0.0)
    shows(page, "stem.bass.gain_db", "aria-valuetext", "0.0 dB")


def test_a_group_has_the_name_of_the_rig_and_moves_its_stems(page: Tab, show: Show) -> None:
    assert page.run("[...document.querySelectorAll('.bus h2')].map((name) => name.textContent)") == ["A: Band", "Group B"]
    for stem in ("drums", "bass"):
        page.run(f"document.querySelector('{slider(f'stem.{stem}.group')}').focus()")
        page.press("ArrowDown")
        until_same(page, show, f"stem.{stem}.group", 1.0)
    page.wait_for("document.querySelector('.bus .members').textContent === 'drums, bass'")
    x, y, width, height = page.box(slider("group.a.gain_db"))
    page.drag((x + 0.74 * width, y + height / 2), (x + 0.3 * width, y + height / 2))
    text = page.run(f"document.querySelector('{slider('group.a.gain_db')}').getAttribute('aria-valuetext')")
    until_same(page, show, "group.a.gain_db", float(text.removesuffix(" dB")))
    assert -30 < show.params.get("group.a.gain_db") < -6
    page.click(slider("group.a.mute"))
    until_same(page, show, "group.a.mute", 1.0)
    page.click("[data-group=a]")
    until_same(page, show, "stem.bass.solo", 1.0)
    assert [show.params.get(f"stem.{stem}.solo") for stem in STEMS] == [0, 1, 1, 0]
    page.wait_for("document.querySelector('[data-group=a]').getAttribute('aria-pressed') === 'true'")
    page.click("[data-group=a]")
    until_same(page, show, "stem.bass.solo", 0.0)


def test_recording_is_switched_by_hand_and_by_a_learned_button(page: Tab, show: Show, home: Path) -> None:
    pressed = "document.getElementById('record').getAttribute('aria-pressed')"
    page.click("#record")
    page.wait_for(f"{pressed} === 'true'")
    page.click("#record")
    page.wait_for("document.getElementById('notice').textContent.startsWith('Recorded into')")
    page.click("#learn")
    page.click("#record")
    page.wait_for("document.getElementById('notice').textContent.includes('engine.record')")
    for _ in range(4):
        receive(show.engine.context.words, 0x94, 70, 127)
        receive(show.engine.context.words, 0x84, 70, 0)
    page.wait_for("document.getElementById('notice').textContent.includes('Learned engine.record')")
    receive(show.engine.context.words, 0x94, 70, 127)
    page.wait_for(f"{pressed} === 'true'")
    receive(show.engine.context.words, 0x94, 70, 127)
    page.wait_for(f"{pressed} === 'false'")
    takes = sorted((home / "state" / "recordings").iterdir())
    assert len(takes) == 2
    assert all((take / "mix.wav").stat().st_size > 44 for take in takes)


def test_a_meter_holds_its_peak_and_lets_it_fall(page: Tab) -> None:
    said = page.run(
        """
        import("/meter.js").then(({ Meter }) => {
          const meter = new Meter("Test", 0);
          const levels = (both) => ({ peaks: both, rms: both, truePeaks: both, loudness: [-20, -20, -20] });
          const at = (peak, now) => {
            meter.draw(levels([peak, peak]), now);
            return [meter.peak.textContent, meter.between.textContent];
          };
          return [at(0.1, 1000), at(0.001, 1500), at(0.001, 2600), at(0.001, 2900), at(0.2, 3200)];
        })
        """
    )
    assert [peak for peak, _ in said] == ["-20.0", "-20.0", "-20.0", "-60.0", "-14.0"]
    assert [highest for _, highest in said] == ["-20.0"] * 4 + ["-14.0"]


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 800)])
def test_the_page_fits_phone_and_laptop(browser: Browser, show: Show, width: int, height: int, tmp_path: Path) -> None:
    tab = ready(browser, show, width=width, height=height)
    assert tab.run("document.documentElement.scrollWidth") <= width
    heights = tab.run("[...document.querySelectorAll('.mute, .solo, header button')].map((b) => b.offsetHeight)")
    assert min(heights) >= 32, "fingers"
    assert tab.run(OVERLAPS) == [], "nothing lies on anything else"
    background = tab.run("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background))) < 40, "dark"
    tab.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert not tab.errors


def test_the_knobs_of_effects_do_not_confuse_the_page(browser: Browser, home: Path) -> None:
    knob = Param("fx.vocals.page-test.amount", at.FX, "switch", 0.0, 1.0)
    add_params([knob])
    show = Show()
    try:
        tab = ready(browser, show, width=1280, height=800)
        show.params.set("stem.bass.mute", 1.0)
        shows(tab, "stem.bass.mute", "aria-pressed", "true")
        assert not tab.errors
    finally:
        show.stop()
        del PARAMS[knob.name]


def test_the_page_comes_back_by_itself(browser: Browser, home: Path) -> None:
    first = Show()
    tab = ready(browser, first, width=1280, height=800)
    port = first.page.port
    first.stop()
    tab.wait_for("document.body.classList.contains('away')")
    second = Show()
    again = MixerPage(second.engine, port=port)
    again.start(home / "run" / "control.sock")
    try:
        assert again.port == port
        tab.wait_for("!document.body.classList.contains('away')")
    finally:
        again.stop()
        second.stop()
