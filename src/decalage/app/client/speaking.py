"""A session that is spoken into: sound in, events out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from types import TracebackType

import numpy as np

from decalage.app.client.exchange import PIECE, Dial, Exchange, Tell
from decalage.app.client.messages import Closed
from decalage.app.client.socket import SocketLost
from decalage.audio import SAMPLE_RATE, AudioChunk, Samples, seconds
from decalage.errors import ServerError, StreamFinishedError, UnreachableError
from decalage.events import Event

AHEAD_S = 1.0
"""Sound is sent at most so much sooner than it could have been spoken: the server hears it live."""
_END_LIMIT_S = 1.0
_SILENT = SAMPLE_RATE // 2
"""A hole of so many samples at most is silence; a longer one is declared, and becomes a ``Gap``."""


class Speaking:
    """One speaker's session. Use as an asynchronous context manager, from one event loop.

    Send from one task and iterate in another. While the connection is lost sound waits here, 90 s of it
    at most. Iteration ends after the summary, when the server has nothing more to say; it raises
    ``ConnectionLostError`` when the server was not reached again in time, ``ServerError`` when it gave
    the session up. Entering raises ``UnreachableError``, ``ServerRefusalError`` and
    ``MissingPartError``.
    """

    def __init__(self, dial: Dial, opening: Mapping[str, object], tell: Tell) -> None:
        """``opening`` is the ``config`` of a new session; ``tell`` gets a line on what happens."""
        self._exchange = Exchange(dial, opening, tell)
        self._tell = tell
        self._began: float | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Speaking {self._exchange!r}>"

    async def __aenter__(self) -> Speaking:
        try:
            await self._exchange.open()
        except SocketLost as error:
            raise UnreachableError(f"{error}; is `decalage serve` running there?") from error
        self._task = asyncio.create_task(self._exchange.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def session(self) -> str:
        """The secret of the session: whoever has it can go on speaking."""
        return self._exchange.ready.session

    @property
    def listen_id(self) -> str:
        """With it others read along."""
        return self._exchange.ready.listen_id

    @property
    def source(self) -> str:
        """The language of the speech, or ``auto``."""
        return self._exchange.ready.source

    @property
    def targets(self) -> tuple[str, ...]:
        """The languages of the captions."""
        return self._exchange.ready.targets

    @property
    def closed(self) -> Closed | None:
        """How the server ended the session; None: it has not."""
        return self._exchange.closed

    async def send(self, sound: Samples | AudioChunk) -> None:
        """The next sound: mono 16 kHz float32 within ±1, shape (n,).

        It may come sooner than it could be spoken, a whole file at once: then this waits until it is a
        second early at most, because the server hears it live; lags count from when it could be spoken.
        Where a chunk begins after the end of the one before it, silence is sent for what is missing, up to
        half a second of it; of more the server is told, and answers with a ``Gap`` that was not captured.
        Raises ``StreamFinishedError`` after ``end``, and what iteration raises.
        """
        missing = 0
        if isinstance(sound, AudioChunk):
            missing = max(0, sound.first - self._exchange.outgoing.added)
            sound = sound.samples
        if missing > _SILENT:
            self._tell(f"{seconds(missing):.1f} s were not captured")
        elif missing:
            self._tell(f"{seconds(missing):.1f} s were not captured; silence stands for them")
            await self._send(np.broadcast_to(np.float32(0), missing))
            missing = 0
        await self._send(sound, after=missing)

    async def flush(self) -> None:
        """The utterance is over: it is captioned without waiting for silence. Raises as ``send``."""
        self._check()
        self._exchange.outgoing.flush()
        self._exchange.to_send.set()

    async def end(self) -> None:
        """No more sound: the last captions come, then the summary. Idempotent."""
        self._exchange.outgoing.end()
        self._exchange.to_send.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._exchange.events.__aiter__()

    async def close(self) -> None:
        """Leave at once. A session that was not ended is ended, without waiting for it. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        connection = self._exchange.connection
        if connection is not None and not self._exchange.outgoing.ended:
            with suppress(SocketLost, TimeoutError):
                async with asyncio.timeout(_END_LIMIT_S):
                    await connection.send({"type": "end"})
        task.cancel()
        await asyncio.wait([task])
        self._exchange.events.close()
        if connection is not None:
            await connection.close()  # a task that never began has not

    def _check(self) -> None:
        """Raises what keeps sound from being taken."""
        exchange = self._exchange
        if exchange.failed is not None:
            raise exchange.failed
        if exchange.outgoing.ended or self._task is None:
            raise StreamFinishedError("no sound after the end; open another session")
        if exchange.closed is not None:
            reason = exchange.closed.reason
            raise ServerError(f"the server has ended the session: {reason}", reason)

    async def _send(self, samples: Samples, *, after: int = 0) -> None:
        """``after`` samples that were not captured."""
        outgoing = self._exchange.outgoing
        self._check()
        for piece in _pieces(samples):
            await self._due(after)
            while outgoing.full and self._exchange.connection is not None:
                self._exchange.room.clear()
                await self._exchange.room.wait()
            self._check()
            if after:
                outgoing.skip(after)
                after = 0
            outgoing.add(piece)
            if self._exchange.connection is None:
                outgoing.trim()
            self._exchange.to_send.set()
            await asyncio.sleep(0)  # who sends much at once lets it go out

    async def _due(self, after: int) -> None:
        """Wait while the sound so far, and ``after`` samples more, is as early as it may be."""
        clock = asyncio.get_running_loop().time
        if self._began is None:
            self._began = clock()
        ahead_s = min(AHEAD_S, self._exchange.ready.limits.ahead_s / 2)
        early_s = seconds(self._exchange.outgoing.added + after) - (clock() - self._began) - ahead_s
        if early_s > 0:
            await asyncio.sleep(early_s)


def _pieces(samples: Samples) -> Iterator[Samples]:
    for first in range(0, len(samples), PIECE):
        yield samples[first : first + PIECE]
