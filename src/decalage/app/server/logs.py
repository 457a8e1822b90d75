"""What the server logs: a line for each thing, as text or JSON, and never a secret.

Secrets are the token, a session's secret and LISTEN_ID, which lets whoever knows it read along. They come
in query, path and headers, so that no query and no header is logged and a path only as ``shown_path``
tells it: this holds for our own lines and for those of the libraries that serve. What is given as extra
``session`` is ``shortened`` here.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LogFormat: TypeAlias = Literal["text", "json"]

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FOREIGN = frozenset({"color_message", "websocket"})
"""What libraries attach to their records: text for a terminal, a connection with its headers."""
_IDENTITIES = frozenset({"session", "listen_id"})
"""Extras that hold a LISTEN_ID, whole or not."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SERVING = ("uvicorn", "websockets")
_NAME = re.compile(r".{0,14}|[a-z0-9_-]{1,40}\.[a-z0-9]{1,5}", re.DOTALL)
"""A part of a path that is shown: a word or the name of a file. A longer one may be a secret."""
_LONGEST_PATH = 100
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines."""

access = logging.getLogger("decalage.access")


def shortened(identity: str) -> str:
    """Enough of LISTEN_ID to tell sessions apart in a log, too little to read along."""
    return f"{identity[:4]}…"


def shown_path(path: str) -> str:
    """A path as it may be logged: without its query, LISTEN_ID and what else may be a secret shortened."""
    parts = re.split(r"[?#]", path, maxsplit=1)[0].split("/")
    before = ["", *parts]
    told = [
        shortened(part) if before[i] == "sessions" or not _NAME.fullmatch(part) else part
        for i, part in enumerate(parts)
    ]
    whole = "/".join(told)
    return whole if len(whole) <= _LONGEST_PATH else f"{whole[:_LONGEST_PATH]}…"


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, its extras."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, ASCII; an exception's traceback stands under ``exception``."""
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in _extras(record) if name not in told}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


class TextFormatter(logging.Formatter):
    """A record as a line to read: time, level, logger, message, its extras as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever a client has sent; an exception's traceback follows it."""
        extras = [f"{name}={_word(value)}" for name, value in _extras(record) if value is not None]
        parts = [_time(record), record.levelname, f"{record.name}:", record.getMessage(), *extras]
        line = _CONTROL.sub(lambda found: repr(found.group())[1:-1], " ".join(parts))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Discreet(logging.Filter):
    """Takes secrets out of what the serving libraries log, or drops it.

    Below INFO websockets tells each header and frame; at INFO uvicorn tells the path and query of each
    WebSocket, which come as arguments of the message.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _SERVING:
            return True
        if isinstance(record.args, tuple):
            record.args = tuple(
                shown_path(arg) if isinstance(arg, str) and arg.startswith("/") else arg
                for arg in record.args
            )
        return record.levelno >= logging.INFO


def configure(form: LogFormat, verbose: int = 0, stream: TextIO | None = None) -> None:
    """Log to ``stream``, else to standard error, and nowhere else.

    Told is what décalage does and what libraries warn of; with ``verbose`` 1 more of both, with 2 everything.
    uvicorn's own access log is off: ``AccessLog`` tells of requests. Run uvicorn with ``log_config=None``
    and without ``log_level``.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(_Discreet())
    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    logging.basicConfig(level=levels[min(verbose, 2)], handlers=[handler], force=True)
    logging.getLogger("decalage").setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(True)  # Python's own, so that every line has the form


class AccessLog:
    """ASGI middleware, the outermost: a line for each request and each WebSocket, when it is over.

    ``method`` (of a WebSocket ``WEBSOCKET``), ``path``, ``status``, ``ms`` from the first byte to the last,
    ``bytes`` sent without headers, and of a WebSocket the ``close`` code. Status 101: a WebSocket that was
    let in; 499: the client went away before there was an answer; 500: a defect.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        told = _Exchange(scope["type"] == "websocket")
        start = time.monotonic()

        async def received() -> Message:
            message = await receive()
            told.came(message)
            return message

        async def sent(message: Message) -> None:
            told.goes(message)
            await send(message)

        try:
            await self._app(scope, received, sent)
        except BaseException as error:
            if told.status is None and isinstance(error, Exception):
                told.status = 500
            raise
        finally:
            _tell(scope, told, time.monotonic() - start)


class _Exchange:
    """What passed between the application and one client."""

    def __init__(self, websocket: bool) -> None:
        self.websocket = websocket
        self.status: int | None = None
        self.size = 0
        """Bytes sent, without headers."""
        self.close: int | None = None

    def came(self, message: Message) -> None:
        """Note what the client did."""
        if message["type"] == "websocket.disconnect" and self.close is None:
            self.close = message.get("code")

    def goes(self, message: Message) -> None:
        """Note what the application answers."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
        elif kind in ("http.response.body", "websocket.http.response.body"):
            self.size += len(message.get("body", b""))
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.send":
            self.size += len(message.get("bytes") or (message.get("text") or "").encode())
        elif kind == "websocket.close":
            if self.status is None:
                self.status = 403  # as ASGI has it for one that is not let in
            else:
                self.close = message.get("code", 1000)


def _tell(scope: Scope, told: _Exchange, seconds: float) -> None:
    method = "WEBSOCKET" if told.websocket else scope["method"]
    path = shown_path(scope["path"])
    status = 499 if told.status is None else told.status
    fields: dict[str, object] = {
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "bytes": told.size,
    }
    if told.close is not None:
        fields["close"] = told.close
    quiet = path in _QUIET or path.startswith("/static/")
    level = logging.DEBUG if quiet and status < 400 else logging.INFO
    access.log(level, "request", extra=fields)


def _time(record: logging.LogRecord) -> str:
    when = datetime.fromtimestamp(record.created, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: object) -> str:
    """``value`` without spaces, or in quotes: no client adds a field by what it asks for."""
    text = ",".join(value) if isinstance(value, list) else str(value)
    return text if re.fullmatch(r"[^\s\"]+", text) else json.dumps(text, ensure_ascii=False)


def _extras(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What the caller gave as ``extra``, fit for JSON and for a log."""
    for name, value in vars(record).items():
        if name in _KNOWN or name in _FOREIGN:
            continue
        yield name, shortened(str(value)) if name in _IDENTITIES else _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset):
        return [str(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
