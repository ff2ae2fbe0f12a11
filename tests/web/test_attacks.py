"""Who may not touch the faders, and what may not touch the audio: the attacks that local servers of programs really suffer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from rtsep.realtime import layout as at
from tests.web.conftest import TONE_HZ, Show
from tests.web.knock import frame, request, upgrade


def session(show: Show) -> str:
    """The cookie that a browser on this machine is given."""
    status, headers, _ = request(show.page.port)
    assert status == 200
    return headers["set-cookie"].split(";")[0]


def client(show: Show, **more: Any) -> ClientConnection:
    headers = {"Cookie": session(show)}
    origin = f"http://{show.address}"
    address = f"ws://{show.address}/socket"
    return connect(address, origin=origin, additional_headers=headers, max_size=None, close_timeout=1, **more)


def set_gain(value: float) -> str:
    return json.dumps({"do": "set", "name": "stem.vocals.gain_db", "value": value})


def eventually(wanted: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_friend_moves_a_fader(show: Show) -> None:
    with client(show) as page:
        page.send(set_gain(-7.0))
        eventually(lambda: abs(show.params.get("stem.vocals.gain_db") + 7.0) < 1e-3)


def test_the_session_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(show: Show) -> None:
    cookie = request(show.page.port)[1]["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_every_answer_forbids_foreign_content_and_frames(show: Show) -> None:
    for path in ("/", "/main.js", "/nowhere"):
        headers = request(show.page.port, path)[1]
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "192.168.0.9:{port}"],
)
def test_a_foreign_host_name_is_refused_even_if_it_points_here(show: Show, host: str) -> None:
    named = host.format(port=show.page.port)
    assert request(show.page.port, host=named)[0] == 403
    status, link = upgrade(show.page.port, host=named, Origin=f"http://{named}", Cookie=session(show))
    link.close()
    assert status != 101, "DNS rebinding: Host and Origin agree with each other and not with us"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost:{port}", "file://"],
)
def test_a_websocket_of_another_site_is_refused_even_with_the_cookie(show: Show, origin: str) -> None:
    status, link = upgrade(show.page.port, Origin=origin.format(port=show.page.port), Cookie=session(show))
    link.close()
    assert status != 101


def test_what_a_browser_calls_cross_site_is_refused(show: Show) -> None:
    assert request(show.page.port, Sec_Fetch_Site="cross-site")[0] == 403


@pytest.mark.parametrize("cookie", ["", "rtsep_{port}=", "rtsep_{port}=guess", "rtsep_{port}", 'a[]=;;;"'])
def test_a_websocket_without_the_session_is_refused(show: Show, cookie: str) -> None:
    status, link = upgrade(show.page.port, Cookie=cookie.format(port=show.page.port))
    link.close()
    assert status != 101


def test_on_a_network_the_page_gives_no_session_without_the_token(open_show: Show) -> None:
    port = open_show.page.port
    assert "set-cookie" not in request(port)[1]
    assert request(port, "/session", method="POST", body=b"guess")[0] == 403
    assert request(port, "/session", method="POST", body=b"x" * 5000)[0] == 413
    token = open_show.page.url.partition("#")[2]
    status, headers, _ = request(port, "/session", method="POST", body=token.encode())
    assert status == 200
    status, link = upgrade(port, Origin=f"http://127.0.0.1:{port}", Cookie=headers["set-cookie"].split(";")[0])
    link.close()
    assert status == 101


@pytest.mark.parametrize(
    "path",
    ["/../guard.py", "/%2e%2e/guard.py", "/static/index.html", "//etc/passwd", "/index.html", "/main.js/..", "/..%5cguard.py"],
)
def test_no_path_leads_to_the_file_system(show: Show, path: str) -> None:
    status, _, content = request(show.page.port, path, Cookie=session(show))
    assert status in (400, 403, 404)
    assert len(content) < 200


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", '{"do":"quit"}', '{"do":"set","name":"stem.vocals.gain_db","value":NaN}', '{"do":"set","name":"x","value":1}',
     '{"do":"set","name":"stem.vocals.gain_db","value":"1"}', '{"do":"snapshot-store","name":"../../etc/passwd"}', "[" * 30_000,
     '{"do":"snapshot-recall","name":"x","seconds":1e999}', '{"do":"record","on":true,"folder":"/etc"}'],
)  # fmt: skip
def test_a_message_that_makes_no_sense_gets_a_sentence_and_moves_nothing(show: Show, message: str) -> None:
    before = show.params.all()
    with client(show) as page:
        page.send(message)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            said = page.recv(timeout=10)
            if isinstance(said, str) and '"kind":"answer"' in said:
                break
        answer = json.loads(said)["answer"]
    assert answer["ok"] is False
    assert answer["error"]
    assert show.params.all() == before


class AudioWatch:
    """Listens to a show while something attacks its page: not a sample is wrong or missing, and the pace is kept.

    What is played is a tone, and a tone tells every sample from the two before: x[n] = 2 cos(w) x[n - 1] - x[n - 2].
    """

    def __init__(self, show: Show) -> None:
        self._segment = show.engine.segment
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.heard, self.wrong = 0, 0.0

    def __enter__(self) -> AudioWatch:
        self._began, self._first = time.monotonic(), int(self._segment.header[at.OUT_POS])
        self._thread.start()
        return self

    def _listen(self) -> None:
        position, turn = self._first, np.float32(2 * np.cos(2 * np.pi * TONE_HZ / 48_000))
        over = False
        while not over:
            over = self._done.wait(0.1)
            end = int(self._segment.header[at.OUT_POS])
            place = np.arange(max(position, end - at.PLAYED // 2) - 2, end) & (at.PLAYED - 1)
            mix = self._segment.played[0, place].astype(np.float64)
            self.wrong = max(self.wrong, float(np.abs(mix[2:] - turn * mix[1:-1] + mix[:-2]).max(initial=0.0)))
            self.heard += len(mix) - 2
            position = end

    def __exit__(self, *error: object) -> None:
        paced = self._first + (time.monotonic() - self._began) * 48_000 - 1024
        if error[0] is None:
            eventually(lambda: self._segment.header[at.OUT_POS] > paced, seconds=30)
        self._done.set()
        self._thread.join()
        if error[0] is None:
            assert self.wrong < 1e-6  # float32 of a tone at 0.1
            assert self.heard > 0


def test_a_megabyte_in_one_message_ends_that_connection_only(show: Show) -> None:
    with AudioWatch(show):
        status, link = upgrade(show.page.port, Origin=f"http://{show.address}", Cookie=session(show))
        assert status == 101
        with contextlib.suppress(OSError), link:
            link.sendall(frame("x" * 1_000_000))
            while link.recv(65_536):
                pass
        with client(show) as page:
            page.recv(timeout=10)


def test_a_burst_is_braked_and_the_last_command_counts(show: Show) -> None:
    show.params.set("stem.vocals.gain_db", 0.0)
    with AudioWatch(show), client(show) as page:
        page.recv(timeout=10)
        began = time.monotonic()
        for i in range(600):
            page.send(set_gain(-i / 60))
        eventually(lambda: abs(show.params.get("stem.vocals.gain_db") + 599 / 60) < 1e-3)
        assert time.monotonic() - began > 1.5  # 200 a second and as many again that were saved up


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def pour(link: socket.socket, messages: list[bytes], seconds: float) -> int:
    """Send as fast as the socket takes it; returns how many messages went out whole."""
    data, sent, until = b"".join(messages), 0, time.monotonic() + seconds
    ends = np.cumsum([len(message) for message in messages])
    link.setblocking(False)
    while sent < len(data) and time.monotonic() < until:
        try:
            sent += link.send(data[sent : sent + 65_536])
        except BlockingIOError:
            time.sleep(0.001)
    return int(np.searchsorted(ends, sent, side="right"))


def test_a_flood_of_commands_is_limited_and_neither_sound_nor_other_clients_nor_memory_notice(show: Show) -> None:
    flood = 40_000
    for name in ("stem.vocals.gain_db", "stem.bass.pan", "snapshot.morph"):
        show.params.set(name, 0.0)
    messages = [frame(json.dumps({"do": "set", "name": "snapshot.morph", "value": (i + 1) / flood})) for i in range(flood)]
    assert show.page.pid
    with AudioWatch(show), client(show) as friend:
        friend.recv(timeout=10)
        before_kb = resident_kb(show.page.pid)
        began = time.monotonic()
        status, link = upgrade(show.page.port, Origin=f"http://{show.address}", Cookie=session(show))
        assert status == 101
        with link:
            poured = pour(link, messages, seconds=1.0)
            assert poured > 10_000
            for step in range(20):  # a friend's moves arrive while the flood is still being read
                friend.send(json.dumps({"do": "set", "name": "stem.bass.pan", "value": step / 20}))
                eventually(lambda step=step: abs(show.params.get("stem.bass.pan") - step / 20) < 1e-4)
            done = round(show.params.get("snapshot.morph") * flood)
            assert 0 < done <= 200 * (time.monotonic() - began) + 201, "no more than the limit lets through"
            assert done < poured
            grown_kb = resident_kb(show.page.pid) - before_kb
        frames = sum(isinstance(friend.recv(timeout=10), bytes) for _ in range(20))
    assert frames >= 15, "meters go on"
    assert grown_kb < 16_384  # measured 2 MB


def test_fifty_clients_are_too_many_and_the_first_stay(show: Show) -> None:
    cookie = session(show)
    with AudioWatch(show):
        knocks = [upgrade(show.page.port, Origin=f"http://{show.address}", Cookie=cookie) for _ in range(50)]
        let_in = [link for status, link in knocks if status == 101]
        assert 1 <= len(let_in) <= 16
        assert let_in[0].recv(100)
        for _, link in knocks:
            link.close()

    def served_again() -> bool:
        with contextlib.suppress(ConnectionClosed, OSError, Exception), client(show) as page:
            return bool(page.recv(timeout=5))
        return False

    eventually(served_again)


def read_on(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while link.recv(65_536):
            pass


def test_a_client_that_never_reads_is_let_go_and_the_others_are_served(show: Show) -> None:
    origin, cookie = f"http://{show.address}", session(show)
    status, deaf = upgrade(show.page.port, receive_buffer=4096, Origin=origin, Cookie=cookie)
    assert status == 101
    with AudioWatch(show), client(show) as page:
        began = time.monotonic()
        frames = 0
        while time.monotonic() - began < 3.0:
            frames += isinstance(page.recv(timeout=10), bytes)
        assert frames > 20
    full: list[socket.socket] = []
    while status == 101:  # until every place is taken, one of them by the deaf client
        status, link = upgrade(show.page.port, Origin=origin, Cookie=cookie)
        full.append(link)
    readers = [threading.Thread(target=read_on, args=(link,), daemon=True) for link in full[:-1]]
    for reader in readers:
        reader.start()

    def place_is_free() -> bool:
        status, link = upgrade(show.page.port, Origin=origin, Cookie=cookie)
        full.append(link)
        return status == 101

    eventually(place_is_free, seconds=40)
    for link in [deaf, *full]:
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        link.close()


def test_the_audio_plays_on_when_the_page_is_killed(show: Show, home: Any) -> None:
    other = Show()
    try:
        request(other.page.port)
        assert other.page.pid
        with AudioWatch(other):
            os.kill(other.page.pid, signal.SIGKILL)
            time.sleep(0.5)
        other.params.set("stem.vocals.mute", 1)
    finally:
        other.stop()
