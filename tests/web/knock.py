"""Raw requests to the page, so that a test can send what no browser would."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import time


def request(
    port: int, path: str = "/", *, method: str = "GET", body: bytes = b"", host: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request and return status, headers and body. Header names have `_` for `-`."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for attempt in range(200):  # the page's process may still be loading
        try:
            link.connect()
            break
        except ConnectionRefusedError:
            assert attempt < 199
            time.sleep(0.1)
    link.putrequest(method, path, skip_host=True)
    link.putheader("Host", host or f"127.0.0.1:{port}")
    link.putheader("Content-Length", str(len(body)))
    for name, value in headers.items():
        link.putheader(name.replace("_", "-"), value)
    link.endheaders(body)
    answer = link.getresponse()
    content = answer.read()
    link.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def upgrade(port: int, *, host: str | None = None, receive_buffer: int = 0, **headers: str) -> tuple[int, socket.socket]:
    """Ask for the WebSocket; returns the status (101 if let in) and the socket, to be closed by the caller."""
    link = socket.socket()
    link.settimeout(30)
    if receive_buffer:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    link.connect(("127.0.0.1", port))
    lines = [
        "GET /socket HTTP/1.1",
        f"Host: {host or f'127.0.0.1:{port}'}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    link.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = link.recv(4096)
        if not chunk:
            break
        answer += chunk
    return int(answer.split()[1]) if answer else 0, link


def frame(text: str) -> bytes:
    """A masked WebSocket text frame."""
    data, mask = text.encode(), b"\0\0\0\0"
    size = len(data)
    head = bytes([0x81])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + data
