"""Reading along: the captions of a session that somebody else speaks into."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from decalage.app.client.exchange import Tell, answer
from decalage.app.client.messages import Closed, Fault, Numbered
from decalage.app.client.refusals import TRY_AGAIN, refusal
from decalage.app.client.retry import Backoff, again
from decalage.app.client.socket import Connection, SocketLost
from decalage.errors import UnreachableError
from decalage.events import Event

LOST_LIMIT_S = 60.0
"""A lost connection is tried again for so long: a server does not tell listeners its grace time."""

Join: TypeAlias = Callable[[int], Awaitable[Connection]]
"""Connects, for what comes after the event of a number."""


async def listened(join: Join, tell: Tell) -> AsyncGenerator[Event, None]:
    """The events of a session until it is over, none twice; the last 50 settled ones come first.

    Raises ``UnreachableError`` and ``ServerRefusalError`` at the beginning, ``ConnectionLostError`` and
    ``ServerError`` later on.
    """
    backoff = Backoff()
    last_seq = 0
    try:
        connection = await _joined(join, last_seq)
    except SocketLost as error:
        raise UnreachableError(f"{error}; is `decalage serve` running there?") from error
    while True:
        try:
            async for message in _heard(connection, tell):
                backoff.succeeded()
                if not 0 < message.seq <= last_seq:
                    last_seq = max(last_seq, message.seq)
                    yield message.event
        except SocketLost as error:
            lost, after = error, last_seq
        else:
            return
        finally:
            await connection.close()
        tell(f"connection lost ({lost}); trying again")
        connection = await again(lambda: _joined(join, after), lost, backoff, limit_s=LOST_LIMIT_S)  # noqa: B023
        tell("connected again")


async def _joined(join: Join, after: int) -> Connection:
    connection = await join(after)
    await answer(connection)
    return connection


async def _heard(connection: Connection, tell: Tell) -> AsyncIterator[Numbered]:
    """The events of one connection until the session is over."""
    while True:
        message = await connection.receive()
        if isinstance(message, Numbered):
            yield message
        elif isinstance(message, Closed):
            return
        elif isinstance(message, Fault):
            if not message.fatal:
                tell(message.message)
            elif message.code in TRY_AGAIN:
                raise SocketLost(message.message or message.code)
            else:
                raise refusal(message)
