"""What a speaking session says and hears, over as many connections as it takes.

::

    Outgoing ──▶ writer ──▶ ┌────────────┐
    kept until              │ connection │──▶ server
    acknowledged ◀── ack ── │            │
    Mailbox ◀── reader ◀─── └────────────┘
                            lost: another one, from where the server has sound
                            at a hole in the sound: another one, from where there is some again
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from decalage.app.client.mailbox import Mailbox
from decalage.app.client.messages import (
    VERSION,
    Acknowledged,
    Closed,
    Fault,
    Message,
    Numbered,
    Overloaded,
    Ready,
)
from decalage.app.client.outgoing import Outgoing
from decalage.app.client.refusals import TRY_AGAIN, refusal
from decalage.app.client.retry import Backoff, again
from decalage.app.client.socket import Connection, SocketLost
from decalage.audio import SAMPLE_RATE, seconds
from decalage.errors import StreamFinishedError
from decalage.events import Event

READY_LIMIT_S = 30.0
"""A server that has not said ``ready`` after so long is not waited for."""
PIECE = SAMPLE_RATE // 2
"""Samples of a frame at most."""
_EVENTS = 4_096
"""Events that wait for the reader; with more the server is not listened to until there is room."""
_QUIET_S = 10.0
_SAFE_LIMIT_S = 5.0
"""Sound before a hole that is not acknowledged within it is sent again over another connection."""
_FORM = {"sample_rate": SAMPLE_RATE, "encoding": "pcm_s16le"}


class _HoleReached(Exception):  # noqa: N818 - names a state
    """What comes next begins later: another connection says so."""


Dial: TypeAlias = Callable[[], Awaitable[Connection]]
Tell: TypeAlias = Callable[[str], None]


class Exchange:
    """``open``, then ``run`` as a task, which owns the connection; others put sound into ``outgoing``."""

    def __init__(self, dial: Dial, opening: Mapping[str, object], tell: Tell) -> None:
        """``opening`` is the ``config`` of a new session; ``tell`` gets a line on what happens."""
        self.outgoing = Outgoing()
        self.events: Mailbox[Event] = Mailbox(_EVENTS)
        self.last_seq = 0
        """Number of the newest event that came."""
        self.closed: Closed | None = None
        """How the server ended the session; None: it has not."""
        self.failed: Exception | None = None
        """What ended ``run``; None: nothing, or the end of the session."""
        self.connection: Connection | None = None
        """None while it is lost."""
        self.to_send = asyncio.Event()
        """Set by whoever puts something into ``outgoing``."""
        self.room = asyncio.Event()
        """Set when there may be room in ``outgoing``, or it does not matter any more."""
        self._dial = dial
        self._opening = {**opening, **_FORM}
        self._tell = tell
        self._acknowledged = asyncio.Event()  # since it was cleared
        self._backoff = Backoff()
        self._ready: Ready | None = None

    def __repr__(self) -> str:
        state = "connected" if self.connection is not None else "not connected"
        return f"<Exchange {state} {self.outgoing!r} seq {self.last_seq}>"

    @property
    def ready(self) -> Ready:
        """What the server answered last. Raises ``StreamFinishedError`` before ``open``."""
        if self._ready is None:
            raise StreamFinishedError("the session has not begun: use it with `async with`")
        return self._ready

    async def open(self) -> None:
        """Begin the session. Raises ``SocketLost`` and ``ServerError``."""
        self.connection = await self._opened(self._opening)

    async def run(self) -> None:
        """Until the session is over, or cannot be gone on with; closes the connection and the events."""
        error: Exception | None = None
        try:
            while self.connection is not None:
                self.connection = await self._followed(self.connection)
        except Exception as failure:  # a task's edge: it goes to who sends and who reads
            error = failure
        finally:
            self.failed = error
            self.events.close(error)
            self.room.set()

    async def _followed(self, connection: Connection) -> Connection | None:
        """The connection after this one; None when the session is over."""
        try:
            await self._converse(connection)
        except SocketLost as lost:
            self._tell(f"connection lost ({lost}); trying again")
            following = await self._again(lost)
            self._tell("connected again")
            return following
        except _HoleReached:
            return await self._again(SocketLost("closed to leave out what was not captured"))
        return None

    async def _again(self, why: SocketLost) -> Connection:
        return await again(self._resumed, why, self._backoff, limit_s=self.ready.limits.grace_s)

    async def _opened(self, config: Mapping[str, object]) -> Connection:
        """A connection on which the server has answered ``config``."""
        connection = await self._dial()
        self._ready = await answer(connection, config)
        return connection

    async def _resumed(self) -> Connection:
        """The session on another connection. Raises ``SocketLost`` and ``ServerError``."""
        self.outgoing.trim()
        resume: dict[str, object] = {
            "session": self.ready.session,
            "last_seq": self.last_seq,
            "audio_sent_s": seconds(self.outgoing.sent),
        }
        lost = self.outgoing.lost
        if self.outgoing.lost_from is not None:
            resume["audio_from_s"] = seconds(self.outgoing.held_from)
        connection = await self._opened({"type": "config", "version": VERSION, **_FORM, "resume": resume})
        if not self.outgoing.resume(self.ready.received):
            await connection.close()
            raise SocketLost("the server wants sound that is here no more")
        if lost > 0:
            self._tell(f"{seconds(lost):.1f} s of sound were lost meanwhile")
        return connection

    async def _converse(self, connection: Connection) -> None:
        """Read and write until the server has closed the session.

        Raises ``SocketLost``, ``ServerError`` and ``_HoleReached``. What came before a loss is read first:
        it may say why.
        """
        reader = asyncio.create_task(self._read(connection))
        writer = asyncio.create_task(self._write(connection))
        try:
            await asyncio.wait([reader, writer], return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                writer.result()
            await reader
        finally:
            self.connection = None
            self.room.set()
            reader.cancel()
            writer.cancel()
            await asyncio.wait([reader, writer])
            await connection.close()

    async def _write(self, connection: Connection) -> None:
        """All that is to be sent, as it comes; until the connection is lost, of which the reader hears.

        Raises ``_HoleReached`` when all before a hole is safe, or has not become so in time.
        """
        limits = self.ready.limits
        most = min(PIECE, limits.frame_bytes // 2)
        quiet_s = limits.idle_s / 3 or _QUIET_S
        try:
            while True:
                self.to_send.clear()
                while (frame := self.outgoing.take(most)) is not None:
                    await connection.send(frame if isinstance(frame, bytes) else {"type": frame})
                if self.outgoing.at_hole:
                    await self._until_safe()
                    if self.closed is not None:
                        return
                    raise _HoleReached
                try:
                    async with asyncio.timeout(quiet_s):
                        await self.to_send.wait()
                except TimeoutError:
                    await connection.send({"type": "ping"})
        except SocketLost:
            return

    async def _until_safe(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SAFE_LIMIT_S):
                while not self.outgoing.safe:
                    self._acknowledged.clear()
                    await self._acknowledged.wait()

    async def _read(self, connection: Connection) -> None:
        while self.closed is None:
            message = await connection.receive()
            self._backoff.succeeded()
            if isinstance(message, Numbered):
                await self._event(message)
            elif message is not None:
                self._heard(message)

    async def _event(self, message: Numbered) -> None:
        """Hand on what did not come before: what is sent again after a loss may have."""
        if 0 < message.seq <= self.last_seq:
            return
        await self.events.put(message.event)
        self.last_seq = max(self.last_seq, message.seq)  # a reader that is stopped before has not heard it

    def _heard(self, message: Message) -> None:
        if isinstance(message, Acknowledged):
            self.outgoing.acknowledge(message.received)
            self.room.set()
            self._acknowledged.set()
        elif isinstance(message, Closed):
            self.closed = message
        elif isinstance(message, Overloaded):
            gives_up = f"; it gives up {message.shedding}" if message.shedding else ", and keeps up again"
            self._tell(f"the server is {message.behind_s:.1f} s behind{gives_up}")
        elif isinstance(message, Fault):
            if not message.fatal:
                self._tell(message.message)
            elif message.code in TRY_AGAIN:
                raise SocketLost(message.message or message.code)
            else:
                raise refusal(message)


async def answer(connection: Connection, config: Mapping[str, object] | None = None) -> Ready:
    """The server's ``ready``, to ``config`` if any.

    Raises ``SocketLost`` and ``ServerError``, having closed the connection.
    """
    try:
        async with asyncio.timeout(READY_LIMIT_S):
            if config is not None:
                with suppress(SocketLost):  # what was said before it was lost is read, and may say why
                    await connection.send(config)
            while True:
                message = await connection.receive()
                if isinstance(message, Ready):
                    return message
                if isinstance(message, Fault):
                    raise refusal(message)  # noqa: TRY301 - it is not handled here, the connection is closed
    except TimeoutError as error:
        await connection.close()
        raise SocketLost(f"no answer for {READY_LIMIT_S:.0f} s") from error
    except BaseException:
        await connection.close()
        raise
