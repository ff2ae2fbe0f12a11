"""The page's server: files from the package, one WebSocket, nothing else. No path from the network reaches the file system.

To a client go a description once, the binary frames of `frames` 30 times a second, and the status twice a second as JSON; every
client is sent the newest of each and never a queue, and one that does not read for `SLOW_S` is let go. From a client come the
commands of `rtsep.control.commands`: `set` is one store into shared memory, the rest is asked of the engine's control socket.
A client that sends more than `MESSAGES_PER_S` is read more slowly, so that TCP holds it back and its last word still counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from rtsep.control import commands as ask
from rtsep.control.params import ParamStore
from rtsep.control.web.frames import BANDS, RATE_HZ, FrameMaker
from rtsep.control.web.guard import OPEN_PATHS, Guard
from rtsep.errors import RtsepError

MAX_CLIENTS = 16
MESSAGES_PER_S = 200
SLOW_S = 5.0
_STATUS_S = 0.5
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}


class EngineLink:
    """The engine's control socket, asked one thing at a time; opened again when it was lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()

    async def ask(self, line: bytes) -> bytes:
        """Send a line and return the answer; an answer that says so if the engine is gone."""
        async with self._lock:
            try:
                if self._streams is None:
                    self._streams = await asyncio.open_unix_connection(str(self._path), limit=1 << 20)
                reader, writer = self._streams
                writer.write(line + b"\n")
                await writer.drain()
                answer = await asyncio.wait_for(reader.readline(), SLOW_S)
                if answer:
                    return answer
            except (OSError, TimeoutError, ValueError):
                pass
            self._streams = None
            return msgspec.json.encode(ask.Answer(ok=False, error="The engine does not answer."))


class Page:
    """State that all clients share."""

    def __init__(self, frames: FrameMaker, params: ParamStore, link: EngineLink) -> None:
        self._frames, self._params, self._link = frames, params, link
        self._frame, self._status = b"", b""
        self._fresh = asyncio.Event()
        self._clients = 0

    async def make_frames(self) -> None:
        """Keep the newest frame; skips what it cannot keep up with."""
        due = time.monotonic()
        while True:
            if self._clients:
                self._frame = self._frames.frame()
                self._fresh.set()
                self._fresh = asyncio.Event()
            due = max(due + 1.0 / RATE_HZ, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def ask_status(self) -> None:
        """Keep the newest status."""
        while True:
            if self._clients:
                self._status = await self._link.ask(b'{"do":"status"}')
            await asyncio.sleep(_STATUS_S)

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one client until it leaves or is too slow."""
        if self._clients >= MAX_CLIENTS:
            await socket.close(1013)
            return
        await socket.accept()
        self._clients += 1
        try:
            described = await self._link.ask(b'{"do":"describe"}')
            await socket.send_text(f'{{"kind":"hello","bands":{BANDS},"answer":{described.decode()}}}')
            tasks = {asyncio.create_task(self._send(socket)), asyncio.create_task(self._receive(socket))}
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(socket.close(1008), 1.0)
        finally:
            self._clients -= 1

    async def _send(self, socket: WebSocket) -> None:
        said = b""
        while True:
            await self._fresh.wait()
            await asyncio.wait_for(socket.send_bytes(self._frame), SLOW_S)
            if self._status is not said:
                said = self._status
                await asyncio.wait_for(socket.send_text(f'{{"kind":"status","answer":{said.decode()}}}'), SLOW_S)

    async def _receive(self, socket: WebSocket) -> None:
        budget, filled_s = float(MESSAGES_PER_S), time.monotonic()
        while True:
            line = (await socket.receive_text()).encode()
            now_s = time.monotonic()
            budget = min(float(MESSAGES_PER_S), budget + (now_s - filled_s) * MESSAGES_PER_S) - 1.0
            filled_s = now_s
            if budget < 0.0:
                await asyncio.sleep(-budget / MESSAGES_PER_S)
            answer = await self._do(line)
            if answer:
                await asyncio.wait_for(socket.send_text(f'{{"kind":"answer","answer":{answer.decode()}}}'), SLOW_S)

    async def _do(self, line: bytes) -> bytes:
        try:
            command = ask.decode(line)
            if isinstance(command, ask.Set):
                self._params.set(command.name, command.value)
                return b""
            if isinstance(command, ask.ClearClips):
                self._frames.reset_loudness()
        except (msgspec.MsgspecError, RtsepError, RecursionError) as error:
            return msgspec.json.encode(ask.Answer(ok=False, error=str(error)))
        return await self._link.ask(msgspec.json.encode(command))


def _files() -> dict[str, tuple[bytes, str]]:
    """Every file of the page, by its path in the URL."""
    files = {}
    for entry in importlib.resources.files("rtsep.control.web").joinpath("static").iterdir():
        path = "/" if entry.name == "index.html" else f"/{entry.name}"
        files[path] = entry.read_bytes(), _TYPES[Path(entry.name).suffix]
    return files


def make_app(page: Page, *, port: int, token: str, anywhere: bool) -> Guard:
    """Build the guarded application.

    Args:
        page: state shared by all clients.
        port: where it will listen.
        token: of this run.
        anywhere: whether other machines may connect; the token is then asked for.
    """
    files = _files()

    async def static(request: Request) -> Response:
        content, kind = files[request.url.path]
        response = Response(content, media_type=kind)
        if request.url.path == "/" and not anywhere:
            _give_session(response)
        return response

    async def session(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > 256:
                return PlainTextResponse("This is not a token.\n", 413)
        if not guard.fits(body.decode("latin-1")):
            await asyncio.sleep(0.5)
            return PlainTextResponse("This is not the token of this run.\n", 403)
        response = PlainTextResponse("Welcome.\n")
        _give_session(response)
        return response

    def _give_session(response: Response) -> None:
        response.set_cookie(guard.cookie, token, httponly=True, samesite="strict")

    async def socket(connection: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            await page.serve(connection)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(page.make_frames()), asyncio.create_task(page.ask_status())]
        yield
        for task in tasks:
            task.cancel()

    routes = [Route(path, static) for path in files if path in OPEN_PATHS]
    app = Starlette(
        routes=[*routes, Route("/session", session, methods=["POST"]), WebSocketRoute("/socket", socket)], lifespan=lifespan
    )
    guard = Guard(app, port=port, token=token, anywhere=anywhere)
    return guard
