"""Who may talk to the mixer page: one check for HTTP and WebSocket, before anything else sees the request.

A page of another site, opened in a browser on this machine, can send requests to 127.0.0.1 too. Against that:

* the Host must be ours. With DNS rebinding a foreign name points here, and comparing Origin with Host would let it pass;
* an Origin, which browsers send along with every WebSocket, must be exactly the page's own;
* what a browser calls cross-site is refused;
* everything but the page's own files needs the session cookie, which is HttpOnly and SameSite=Strict. On the loopback interface
  the page sets it; elsewhere it is had for the token that `rtsep run` prints.

When other machines may connect, an address in digits is accepted as Host: rebinding needs a name.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SCRIPTS = ("main", "link", "controls", "meter", "models", "spectrogram", "strips")
OPEN_PATHS = frozenset({"/", "/session", "/mixer.css", "/icon.svg", *(f"/{name}.js" for name in _SCRIPTS)})
"""What is served without a session: the page itself, which shows nothing, and the exchange of token for cookie."""

_HEADERS = [
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """ASGI middleware."""

    def __init__(self, app: App, *, port: int, token: str, anywhere: bool) -> None:
        """Wrap an application.

        Args:
            app: gets what passes.
            port: ours.
            token: of this run; also the cookie's value.
            anywhere: whether other machines may connect.
        """
        self._app, self._port, self._token, self._anywhere = app, port, token, anywhere
        self.cookie = f"rtsep_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with protective headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._welcome(scope):
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _welcome(self, scope: Scope) -> bool:
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        if len(hosts) != 1 or not self._is_ours(hosts[0]) or len(origins) > 1:
            return False
        if origins and origins[0] != f"http://{hosts[0]}":
            return False
        if "cross-site" in headers.get(b"sec-fetch-site", []):
            return False
        return (scope["type"] == "http" and scope["path"] in OPEN_PATHS) or self._has_session(headers.get(b"cookie", []))

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        if port != str(self._port):
            return False
        if name in ("127.0.0.1", "localhost", "[::1]"):
            return True
        if not self._anywhere:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _has_session(self, cookies: list[str]) -> bool:
        jar: SimpleCookie = SimpleCookie()
        try:
            for cookie in cookies:
                jar.load(cookie)
        except CookieError:
            return False
        return self.cookie in jar and self.fits(jar[self.cookie].value)

    def fits(self, token: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is."""
        return hmac.compare_digest(token.encode(), self._token.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain"), *_HEADERS]})
    await send({"type": "http.response.body", "body": b"This page is not for you.\n"})
