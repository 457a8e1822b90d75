"""One socket that gets the events of a session as they come, at its own pace."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from decalage.app.server.protocol import Ack, Closed, ProtocolError, ServerMessage, written
from decalage.app.server.session import Session
from decalage.events import Start, Summary

_TICK_S = 1.0
SEND_LIMIT_S = 20.0
"""A client that takes nothing for so long is given up; it can come back."""


class Reader:
    """``seen`` is the newest event that the client has.

    There is no queue: what a slow client has not read is in the session, once for all of them, and of
    the partials it then gets the newest. ``send`` may be called beside ``read``.
    """

    def __init__(
        self,
        socket: WebSocket,
        session: Session,
        seen: int,
        *,
        target: str | None,
        partials: bool,
        speaker: bool,
        send_limit_s: float = SEND_LIMIT_S,
    ) -> None:
        self._socket = socket
        self._session = session
        self._seen = max(seen, session.replay.lost_seq)  # who comes later has what there is
        self._target = target
        self._partials = partials
        self._speaker = speaker
        self._send_limit_s = send_limit_s
        self._news = asyncio.Event()
        self._acknowledged = -1.0
        self._ticks = 0
        self._behind = False
        self._sending = asyncio.Lock()

    async def read(self) -> None:
        """Send events until there will be no more, then ``closed``. Raises ``ProtocolError``: too slow."""
        self._session.watch(self._news.set)
        loop = asyncio.get_running_loop()
        due = loop.time() + _TICK_S
        try:
            while True:
                self._news.clear()
                await self._catch_up()
                if self._session.over_since is not None:
                    break
                if loop.time() >= due:
                    due = loop.time() + _TICK_S
                    await self._tick()
                try:
                    async with asyncio.timeout_at(due):  # ``wait_for`` of 3.11 swallows a cancel now and then
                        await self._news.wait()
                except TimeoutError:
                    continue
        finally:
            self._session.unwatch(self._news.set)
        await self._close()

    async def send(self, message: ServerMessage) -> None:
        """One message beside the events."""
        await self._write(written(message))

    async def _catch_up(self) -> None:
        """All that came since."""
        replay = self._session.replay
        while news := replay.after(self._seen, partials=self._partials):
            if replay.lost_seq > self._seen:
                raise ProtocolError("too-slow", "this socket is too far behind; connect again")
            for told in news:
                if self._speaker or not isinstance(told.event, Start | Summary):
                    await self._write(told.written(self._target))
                self._seen = max(self._seen, told.seq)

    async def _tick(self) -> None:
        """Each second: what is safe here, how it goes."""
        self._ticks += 1
        received_s = self._session.sound.received_s
        if self._speaker and received_s != self._acknowledged:
            self._acknowledged = received_s
            await self.send(Ack(received_s))
        if self._ticks % 2 == 0:
            await self.send(self._session.stats())
        overload = self._session.overload()
        if overload.shedding or self._behind:
            await self.send(overload)
        self._behind = bool(overload.shedding)

    async def _close(self) -> None:
        reason = self._session.reason or "end"
        await self.send(Closed(flushed=self._session.flushed, reason=reason))
        await self._socket.close(1000)

    async def _write(self, text: str) -> None:
        try:
            async with self._sending, asyncio.timeout(self._send_limit_s):
                await self._socket.send_text(text)
        except TimeoutError as error:
            raise ProtocolError("too-slow", f"nothing was read for {self._send_limit_s:g} s") from error
        except RuntimeError as error:  # Starlette's, where the socket has been closed
            raise WebSocketDisconnect(1006) from error
