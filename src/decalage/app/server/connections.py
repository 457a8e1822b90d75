"""What the sockets of speakers and listeners have in common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from decalage.app.server.parsing import parse
from decalage.app.server.protocol import Config, Error, ProtocolError, written
from decalage.errors import UsageError
from decalage.languages import primary

logger = logging.getLogger(__name__)

_FIRST_MESSAGE_S = 10.0
"""A socket that says nothing is closed after it."""
_MESSAGES = 400
"""A second, at most: a frame each 20 ms is 50."""
_AT_ONCE = 8_000
"""Beyond these, which may come at once: what a client kept while its connection was lost."""
_IN_A_ROW = 50
"""Messages of one socket, then it is the others' turn."""


class MessageRate:
    """Messages of one socket."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = float(_AT_ONCE)
        self._counted = self._loop.time()
        self._row = 0

    async def count(self) -> None:
        """One more; now and then others go first. Raises ``ProtocolError`` where it is one too many."""
        now = self._loop.time()
        self._room = min(_AT_ONCE, self._room + _MESSAGES * (now - self._counted)) - 1
        self._counted = now
        if self._room < 0:
            raise ProtocolError("too-fast", f"more than {_MESSAGES} messages a second")
        self._row = (self._row + 1) % _IN_A_ROW
        if not self._row:
            await asyncio.sleep(0)


async def next_message(socket: WebSocket) -> Message:
    """A frame: ``text`` or ``bytes``. Raises ``WebSocketDisconnect``."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    return message


async def first_message(socket: WebSocket) -> Config:
    """The message that has to be the first one. Raises ``ProtocolError``."""
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_S):
            message = await next_message(socket)
    except TimeoutError as error:
        raise ProtocolError("bad-message", f"no config within {_FIRST_MESSAGE_S:g} s") from error
    if message.get("text") is None:
        raise ProtocolError("bad-message", "sound before config")
    said = parse(message["text"])
    if not isinstance(said, Config):
        raise ProtocolError("bad-message", f"{said.type} before config")
    return said


async def until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run them until the first ends, and raise what that raised; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def refuse(socket: WebSocket, error: ProtocolError) -> None:
    """Tell ``error`` and close, as far as the client still takes anything."""
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    try:
        async with asyncio.timeout(1.0):
            if socket.client_state is WebSocketState.CONNECTED:
                await socket.send_text(written(Error(error.code, str(error), fatal=True)))
            await socket.close(error.close_code)
    except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError) as gone:
        logger.debug("a socket was not there to be told: %r", gone)


def listener_query(socket: WebSocket) -> tuple[str | None, int | None, bool]:
    """(to, after, partials) of a listener. Raises ``ProtocolError``."""
    query = socket.query_params
    after = query.get("after")
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 16):
        raise ProtocolError("bad-message", "after: the seq of an event is needed")
    try:
        target = primary(query["to"]) if query.get("to") else None
    except UsageError as error:
        raise ProtocolError("bad-message", str(error)) from error
    return target, None if after is None else int(after), query.get("partials", "true") != "false"
