"""A running engine (dry: no model process is needed to move faders) with all hands and the mixer page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rtsep.config import Rig
from rtsep.control.hands import Hands
from rtsep.control.params import ParamStore
from rtsep.control.web.launcher import MixerPage, PageAddress
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend


@dataclass
class Show:
    """An engine in real time and what moves it."""

    listen: str = "127.0.0.1"
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = NullBackend(48_000, 256)
        self.engine = Engine(self.backend.open(), model="passthrough", on_event=self.told.append)
        self.params = ParamStore(self.engine.segment.params)
        self.hands = Hands(self.engine, Rig(), page=PageAddress(self.listen, 0), tell=self.told.append)
        self.backend.start(self.engine)
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
