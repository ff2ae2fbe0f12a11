"""The process of the mixer page.

It can be killed, hang or be overrun without the audio noticing: it shares memory with the engine and no lock.
The first line of its standard input is a `PageRequest`; it ends when that input does, so it never outlives the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import msgspec
import uvicorn

from rtsep.control.params import ParamStore, add_params
from rtsep.control.web.app import EngineLink, Page, make_app
from rtsep.control.web.frames import FrameMaker
from rtsep.control.web.request import PageRequest
from rtsep.realtime.segment import Segment

NICENESS = 5


async def _serve(request: PageRequest) -> None:
    add_params(request.params)
    listener = socket.socket(fileno=request.listener)
    segment = Segment(request.descriptor, request.capacity)
    page = Page(FrameMaker(segment), ParamStore(segment.params), EngineLink(Path(request.control)))
    app = make_app(page, port=listener.getsockname()[1], token=request.token, anywhere=request.anywhere)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=65_536,
            ws_ping_interval=20.0,
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
    )

    def parent_said_goodbye() -> None:
        if not os.read(0, 1):
            server.should_exit = True

    asyncio.get_running_loop().add_reader(0, parent_said_goodbye)
    await server.serve(sockets=[listener])


def main() -> None:
    """Serve until standard input ends."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(AssertionError):  # uvicorn, closing a connection that was refused before
        asyncio.run(_serve(msgspec.json.decode(sys.stdin.buffer.readline(), type=PageRequest)))


if __name__ == "__main__":
    main()
