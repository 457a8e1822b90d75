"""uvicorn's connections with an end to what a client may keep the server waiting for.

uvicorn waits for as long as a client likes: for a request that comes a byte at a time, for an answer that
nobody takes although the connection is to be closed. It also answers every ping of a WebSocket, and keeps
the answers of a client that reads none. A few such clients hold every connection there is.

::

    connected ─▶ request's head whole ─▶ answer ─▶ head of the next one …      ``head_s``, else closed
    whatever is sent: taken within ``taken_s``, where the sender waits for it or the connection closes
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

logger = logging.getLogger(__name__)

_SLICE_BYTES = 4096
"""Read in one go: a frame has 6 bytes or more, so that a flood of them is seen before it costs much."""
_CONTROLS = 200
"""Pings, pongs and parts of messages in a second, at most."""
_QUEUED = 10_000
"""Messages that came with one another and wait; no more is read while any does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What a server puts up with."""

    head_s: float = 20.0
    """From the connection, or the last answer, to a whole request head: longer than an idle one is kept."""
    taken_s: float = 15.0
    """Something of what was sent has to be taken within it, or within twice that."""
    connections: int = 2_500
    """Open at a time, WebSockets too; more are closed at once."""


class Stall:
    """Cuts a connection whose client takes nothing, once somebody waits for that.

    Where the event loop itself stood still, nobody could take anything: that is held against no client.
    """

    def __init__(self, transport: asyncio.Transport, every_s: float) -> None:
        self._paused = False
        self._transport = transport
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._left: float = math.inf
        self._look_later()

    def pause(self) -> None:
        """The sender waits."""
        self._paused = True

    def resume(self) -> None:
        """Enough was taken."""
        self._paused = False
        self._left = math.inf

    def end(self) -> None:
        """Look no more. Idempotent."""
        self._timer.cancel()

    def _look(self) -> None:
        punctual = self._loop.time() < self._timer.when() + self._every_s / 2
        left = self._transport.get_write_buffer_size()
        awaited = left > 0 and (self._paused or self._transport.is_closing())
        if awaited and punctual and left >= self._left:
            logger.debug("a client took nothing for %g s", self._every_s)
            self._transport.abort()
            return
        self._left = left if awaited else math.inf
        self._look_later()

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._every_s, self._look)


class _Taking(asyncio.Protocol):
    """Mixed into a protocol of uvicorn's, before it."""

    patience: ClassVar[Patience] = Patience()
    _stall: Stall | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = Stall(cast("asyncio.Transport", transport), self.patience.taken_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        if self._stall is not None:
            self._stall.pause()
        super().pause_writing()

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.resume()
        super().resume_writing()

    def _forget_stall(self) -> None:
        if self._stall is not None:
            self._stall.end()


class Requests(_Taking, H11Protocol):
    """A connection until it is a WebSocket."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request, but not for ever; close at once what is one too many."""
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            self.transport.abort()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._forget_head()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """A request's head is whole when it has a scope."""
        before = self.scope
        super().handle_events()
        if self.scope is not before:
            self._forget_head()

    def on_response_complete(self) -> None:
        """The next head is waited for."""
        self._await_head()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The transport gets another protocol, and this one is told nothing more."""
        self._forget_head()
        self._forget_stall()
        super().handle_websocket_upgrade(event)

    def _await_head(self) -> None:
        self._forget_head()
        self._head = self.loop.call_later(self.patience.head_s, self.transport.close)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class Frames(_Taking, WebSocketsSansIOProtocol):
    """A WebSocket."""

    _second = 0
    _controls = 0

    def data_received(self, data: bytes) -> None:
        """Frames, as far as there are not too many."""
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE_BYTES])
            if self.queue.qsize() > _QUEUED:
                self._give_up()

    def handle_ping(self) -> None:
        """Answered, but for one too many."""
        if self._counts():
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        """Counted as a ping is."""
        if self._counts():
            super().handle_pong(event)

    def handle_cont(self, event: Any) -> None:
        """A part of a message, counted too: it may be empty."""
        if self._counts():
            super().handle_cont(event)

    def _counts(self) -> bool:
        """One more; whether it is not too many."""
        second = int(self.loop.time())
        self._controls = self._controls + 1 if second == self._second else 1
        self._second = second
        if self._controls > _CONTROLS:
            self._give_up()
        return not self.transport.is_closing()

    def _give_up(self) -> None:
        if self.close_sent:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.conn.fail(1008, "too many frames")
            self.handle_parser_exception()


def requests_within(patience: Patience) -> type[Requests]:
    """``Requests`` with this patience."""

    class Within(Requests):
        pass

    Within.patience = patience
    return Within


def frames_within(patience: Patience) -> type[Frames]:
    """``Frames`` with this patience."""

    class Within(Frames):
        pass

    Within.patience = patience
    return Within
