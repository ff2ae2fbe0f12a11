"""A running engine (dry: no model process is needed to move faders) with all hands and the mixer page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from rtsep.config import GroupsTable, GroupTable, Rig
from rtsep.control.hands import Hands
from rtsep.control.params import ParamStore
from rtsep.control.web.launcher import MixerPage, PageAddress
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend
from tests.web.browser import Browser, Tab

TONE_HZ = 750.0
TONE = (0.1 * np.sin(2 * np.pi * TONE_HZ / 48_000 * np.arange(4096)))[None].repeat(2, axis=0).astype(np.float32)
"""What is heard, without a seam: peaks at -20 dBFS on both channels, hence -23 dBFS of RMS and about -20 LUFS."""

RIG = Rig(groups=GroupsTable(a=GroupTable(name="Band")))


@dataclass
class Show:
    """An engine in real time and what moves it; dry unless it is `started`."""

    listen: str = "127.0.0.1"
    rig: Rig = RIG
    started: bool = False
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = NullBackend(48_000, 256, loop=TONE)
        self.engine = Engine(self.backend.open(), model="passthrough", on_event=self.told.append)
        self.params = ParamStore(self.engine.segment.params)
        self.hands = Hands(self.engine, self.rig, page=PageAddress(self.listen, 0), tell=self.told.append)
        self.backend.start(self.engine)
        if self.started:
            self.engine.start()
        self.hands.start()

    @property
    def page(self) -> MixerPage:
        assert self.hands.page
        return self.hands.page

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.page.port}"

    def stop(self) -> None:
        self.hands.stop()
        self.backend.stop()
        self.engine.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTSEP_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def show(home: Path) -> Iterator[Show]:
    running = Show()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def open_show(home: Path) -> Iterator[Show]:
    """One that listens to other machines too."""
    running = Show(listen="0.0.0.0")  # noqa: S104  that is what is tested
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


def ready(browser: Browser, show: Show, *, width: int, height: int) -> Tab:
    tab = browser.open(show.page.url, width=width, height=height)
    tab.wait_for("document.querySelectorAll('.strip').length === 5")
    tab.wait_for("document.querySelector('.fader').hasAttribute('aria-valuetext')")
    return tab
