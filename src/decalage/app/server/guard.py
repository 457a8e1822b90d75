"""Stands before every request: unknown names and foreign pages are turned away, answers are made safe."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from decalage.app.server.door import Door, bearer

_PLAIN_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")

_PRIVATE = ("/metrics/", "/v1/models/")
"""What is under these paths wants the token, whatever the method."""

_SAFE: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'{sockets}; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy. Some browsers do not count a WebSocket of the same server as 'self'."""


class Guard:
    """ASGI middleware. WebSockets are let through to where an error can be told, their refusals made safe."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        safe = _safe_send(send, headers.get("host"), secure=scope.get("scheme") in ("https", "wss"))
        refused = self._refused(scope, headers) if scope["type"] == "http" else None
        if refused is not None:
            await refused(scope, receive, safe)
            return
        await self._app(scope, receive, safe)

    def _refused(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        host = headers.get("host")
        if not self._door.knows_host(host) and not scope["path"].startswith(("/healthz", "/readyz")):
            return _refusal(421, self._door.misdirected, "host")
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if changes and not self._door.knows_origin(headers.get("origin"), host):
            return _refusal(403, "a page of another site may not do that", "origin")
        private = changes or f"{scope['path']}/".startswith(_PRIVATE)
        token = bearer(headers.get("authorization"))
        if private and not self._door.admits(token):
            wants = "this server wants its token: Authorization: Bearer TOKEN"
            refusal = _refusal(401, "this is not the server's token" if token else wants, "invalid_token")
            refusal.headers["www-authenticate"] = "Bearer"
            return refusal
        return None


def _safe_send(send: Send, host: str | None, *, secure: bool) -> Send:
    async def safe(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", _POLICY.format(sockets=_sockets(host)))
            if secure:
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await send(message)

    return safe


def _sockets(host: str | None) -> str:
    return f" ws://{host} wss://{host}" if host and _PLAIN_HOST.fullmatch(host) else ""


def _refusal(status: int, message: str, code: str) -> JSONResponse:
    """In the form that OpenAI's clients read."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return JSONResponse(body, status)
