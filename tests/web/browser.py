"""Debian's Chromium without a window, driven through the Chrome DevTools Protocol: JSON messages, no other tool between."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One browser process with a profile of its own; a context manager."""

    def __init__(self, profile: Path) -> None:
        assert PROGRAM
        self._profile = profile
        self._links = contextlib.ExitStack()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        self._process = subprocess.Popen(
            [PROGRAM, *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_error: object) -> None:
        self._links.close()
        self._process.terminate()
        self._process.wait(20)

    def open(self, url: str, *, width: int, height: int) -> Tab:
        """Open a page in a tab of this size."""
        port_file = self._profile / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text().strip():
            assert time.monotonic() < until, "Chromium did not start"
            assert self._process.poll() is None, "Chromium ended"
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  the browser that was just started
            address = json.load(answer)["webSocketDebuggerUrl"]
        tab = Tab(self._links.enter_context(connect(address, max_size=None)))
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        tab.call("Runtime.enable")
        tab.call("Page.enable")
        tab.call("Page.navigate", url=url)
        return tab


class Tab:
    """A page."""

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self.errors: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        self._link.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._link.recv(timeout=30))
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def run(self, script: str) -> Any:
        """Evaluate JavaScript and return its value."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, *, seconds: float = 30) -> Any:
        """Wait until JavaScript says something true, and return it; a page that nobody looks at draws nothing."""
        self.call("Page.bringToFront")
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < until, f"never true: {script}"
            time.sleep(0.05)
        return value

    def press(self, key: str) -> None:
        """Press and release a key, as a person would."""
        number = {"ArrowUp": 38, "ArrowDown": 40}.get(key, 0)  # native controls know keys by their number only
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=number)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one place, move in steps to another, release."""
        places = [(start[0] + (end[0] - start[0]) * i / 8, start[1] + (end[1] - start[1]) * i / 8) for i in range(9)]
        self._mouse("mouseMoved", *start)
        self._mouse("mousePressed", *start)
        for place in places:
            self._mouse("mouseMoved", *place)
        self._mouse("mouseReleased", *end)

    def click(self, selector: str, *, shift: bool = False) -> None:
        """Click into the middle of an element."""
        x, y, width, height = self.box(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self._mouse(kind, x + width / 2, y + height / 2, modifiers=8 if shift else 0)

    def box(self, selector: str) -> list[float]:
        """Left, top, width and height of an element, scrolled into view."""
        script = (
            "(() => { const found = document.querySelector(%s); found.scrollIntoView({block: 'nearest'});"
            " const r = found.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] })()"
        )
        place: list[float] = self.run(script % json.dumps(selector))
        return place

    def _mouse(self, kind: str, x: float, y: float, modifiers: int = 0) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, modifiers=modifiers)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Keep what is seen as a PNG, or the whole page with what has to be scrolled to."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def accessibility(self) -> list[dict[str, Any]]:
        """What a screen reader is told: role and name of every node."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node.get("role", {}).get("value"),
                "name": node.get("name", {}).get("value"),
            }
            for node in nodes
            if not node.get("ignored")
        ]
