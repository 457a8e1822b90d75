"""Where files are taken in: who may come, who waits, and what becomes of a client that leaves.

::

    request ─▶ place ──▶ upload ──▶ turn ──▶ opened, heard ──▶ answer
               or 429    or 4xx     in line  400, or Session
               runs + waiting       runs     cancelled when the client goes
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from decalage.app.server.booth import Booth, Wish
from decalage.app.server.off_loop import off_loop
from decalage.app.server.refusals import BUSY_S, RefusedError, refused, stopping
from decalage.app.server.uploads import FileLimits, Upload
from decalage.app.session import Session
from decalage.audio import AudioChunk
from decalage.config import StreamOptions
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError
from decalage.sources.file import FileSource

Result = TypeVar("Result")


class FileDesk:
    """Takes files for ``booth``, a few at a time: live sessions come first."""

    def __init__(self, booth: Booth, limits: FileLimits) -> None:
        self.booth = booth
        self.limits = limits
        self.closed = False
        """Whether no more are taken."""
        self.places = 0
        """Files that are being sent, wait or are heard."""
        self._turns = asyncio.Semaphore(limits.runs)
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"<FileDesk {self.places}/{self.limits.runs + self.limits.waiting}>"

    def close(self) -> None:
        """Take no more files; what is being heard goes on. Idempotent."""
        self.closed = True

    async def emptied(self) -> None:
        """Wait until no file is in hand."""
        await self._empty.wait()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one more file. Raises ``RefusedError``: 429 when there is none, 503 when closed."""
        if self.closed:
            raise stopping()
        if self.places >= self.limits.runs + self.limits.waiting:
            told = f"{self.places} files are being heard or wait already; try again later"
            raise RefusedError(429, told, "busy", headers={"retry-after": str(BUSY_S)})
        self.places += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.places -= 1
            if not self.places:
                self._empty.set()

    @asynccontextmanager
    async def hearing(self, upload: Upload, wish: Wish, options: StreamOptions) -> AsyncIterator[Session]:
        """``upload`` as it is heard, when its turn has come; cancelled when the context is left early.

        Raises ``InputError`` for what is no sound, ``RefusedError`` for too much of it.
        """
        async with self._turns:
            with ExitStack() as stack:
                yield await off_loop(self._begin, upload, wish, options, stack)

    def _begin(self, upload: Upload, wish: Wish, options: StreamOptions, stack: ExitStack) -> Session:
        """Open and start; ``stack`` ends it."""
        most_s = self.limits.sound_s
        source = FileSource(str(upload.path), sound_only=True, called=upload.name)
        stack.callback(source.stop)
        if source.duration_s is not None and source.duration_s > most_s:
            raise RefusedError(413, _too_long(upload.name, most_s), "too_long", param="file")
        stream = self.booth.run(Capped(source, most_s), options)
        session = Session(self.booth.runtime, stream, self.booth.start_event(wish, upload.name), alone=False)
        stack.callback(session.cancel)
        return session


class Capped:
    """A source that counts as damaged from ``most_s`` seconds on: few bytes may decode to years."""

    def __init__(self, source: AudioSource, most_s: float) -> None:
        self.name = source.name
        self.duration_s = source.duration_s
        self._source = source
        self._most_s = most_s

    def __iter__(self) -> Iterator[AudioChunk]:
        for chunk in self._source:
            if chunk.start >= self._most_s:
                self._source.stop()
                raise DamagedInputError(_too_long(self.name, self._most_s))
            yield chunk

    def stop(self) -> None:
        self._source.stop()


def _too_long(name: str, most_s: float) -> str:
    return f"{name} is too long: {most_s:g} s are heard"


class Reply:
    """An answer that is sent as it comes about. Raises ``ClientDisconnect`` when nobody takes it."""

    def __init__(self, send: Send, silence_s: float) -> None:
        self._send = send
        self._silence_s = silence_s
        self.begun = False

    async def begin(self, media_type: str) -> None:
        """200; neither kept nor held back on the way."""
        headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-cache"),  # with no-store Chromium calls what it read as a stream aborted
            (b"x-accel-buffering", b"no"),
        ]
        self.begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, text: str) -> None:
        """The next part."""
        await self._sent(text.encode(), more=True)

    async def end(self) -> None:
        """That was all."""
        await self._sent(b"", more=False)

    async def _sent(self, body: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._silence_s):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except (TimeoutError, OSError) as error:
            raise ClientDisconnect from error


Answering: TypeAlias = Callable[[FileDesk, Request, Reply], Awaitable[Response | None]]
"""Gives the answer, or None when it has written it to the reply."""


class FileEndpoint:
    """One kind of request with a file, as an ASGI application.

    The upload is gone and its place free before the end of the answer is sent: who asks again on
    having it is not told that the server is busy with the question before.
    """

    def __init__(self, desk: FileDesk, answering: Answering) -> None:
        self._desk = desk
        self._answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, reply = Request(scope, receive), Reply(send, self._desk.limits.silence_s)
        response: Response | None
        try:
            with self._desk.place():
                response = await self._answering(self._desk, request, reply)
            if response is None:
                await reply.end()
                return
        except ClientDisconnect:
            return  # there is no one to tell
        except Exception as error:
            if reply.begun:
                raise  # a connection that breaks is all that can be told now
            response = refused(error).response()
        await response(scope, receive, send)


async def while_connected(request: Request, work: Coroutine[object, object, Result]) -> Result:
    """What ``work`` gives; it is cancelled, and has ended, when the client leaves: ``ClientDisconnect``.

    To be called when all of the request has come in.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
