"""The WebSockets at the edge: frames in and out, nothing decided here.

::

    speak():  first message ─▶ Hall.begin ─▶ _hear: frames into the session    ┐ until either ends
                                             Reader: its events as they come   ┘
    listen(): Hall.find ─▶ Reader, in one language
    _pump():  one task a session: what its stream says, for as long as it says something
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from decalage.app.server.booth import Booth
from decalage.app.server.connections import (
    MessageRate,
    first_message,
    listener_query,
    next_message,
    refuse,
    until_one_ends,
)
from decalage.app.server.door import Door, bearer
from decalage.app.server.hall import Begun, Hall
from decalage.app.server.metrics import Metrics
from decalage.app.server.parsing import parse
from decalage.app.server.protocol import (
    Config,
    End,
    Flush,
    Listening,
    Ping,
    Pong,
    ProtocolError,
    Ready,
)
from decalage.app.server.reader import Reader
from decalage.app.server.session import Session
from decalage.errors import UnsupportedPairError

logger = logging.getLogger(__name__)

_BEFORE = 50
"""Settled events that a new listener gets first."""
_TOLD_S = 3.0
"""What was answered last is sent within it, when the server stops, to clients that take it."""


class Sockets:
    """The routes of speakers and listeners."""

    def __init__(
        self,
        hall: Hall,
        booth: Booth,
        metrics: Metrics,
        door: Door,
        *,
        journal: bool,
        send_limit_s: float,
    ) -> None:
        self._hall = hall
        self._languages = booth.languages()
        self._metrics = metrics
        self._door = door
        self._journal = journal
        self._reader = partial(Reader, send_limit_s=send_limit_s)
        self._pumps: set[asyncio.Task[None]] = set()  # one a session
        self._readers: set[asyncio.Task[Any]] = set()  # one a connection that is told events

    def routes(self) -> list[WebSocketRoute]:
        """``/v1/stream`` and the captions of a session."""
        return [
            WebSocketRoute("/v1/stream", self._guarded(self._speak)),
            WebSocketRoute("/v1/sessions/{listen_id}/captions", self._guarded(self._listen)),
            WebSocketRoute("/{path:path}", _nothing_here),
        ]

    async def drained(self) -> None:
        """Wait until every session has said everything, and whoever reads it has been told."""
        while self._pumps:
            await asyncio.wait(self._pumps)
        if self._readers:
            await asyncio.wait(self._readers, timeout=_TOLD_S)

    def _guarded(
        self, serve: Callable[[WebSocket], Coroutine[Any, Any, None]]
    ) -> Callable[[WebSocket], Awaitable[None]]:
        """A connection's edge: errors are told and end it, in no case the server."""

        async def guarded(socket: WebSocket) -> None:
            await socket.accept()
            try:
                await serve(socket)
            except ProtocolError as error:
                self._metrics.failed(error.code)
                await refuse(socket, error)
            except WebSocketDisconnect:
                logger.debug("a socket is gone")
            except Exception:
                logger.exception("a connection failed")
                self._metrics.failed("internal")
                await refuse(socket, ProtocolError("internal", "a defect of this server; it has been noted"))

        return guarded

    def _check(self, socket: WebSocket) -> None:
        """Raises ``ProtocolError`` for a page, or a name of the server, that is not known."""
        host = socket.headers.get("host")
        if not self._door.knows_host(host):
            raise ProtocolError("not-allowed", self._door.misdirected)
        if not self._door.knows_origin(socket.headers.get("origin"), host):
            raise ProtocolError("not-allowed", "a page of another site may not connect; see --allow-origin")

    async def _let_in(self, socket: WebSocket) -> tuple[Config, Begun]:
        """The session that a client asks to speak in. Raises ``ProtocolError``, and counts it as refused."""
        try:
            config = await self._asked(socket)
            return config, self._hall.begin(config)
        except ProtocolError as error:
            self._metrics.refused(error.code)
            raise

    async def _asked(self, socket: WebSocket) -> Config:
        """What a client that may speak asks for. Raises ``ProtocolError``."""
        self._check(socket)
        config = await first_message(socket)
        token = config.token or bearer(socket.headers.get("authorization"))
        if not self._door.admits(token):
            told = "this is not the server's token" if token else "this server wants its token to speak"
            raise ProtocolError("not-allowed", told)
        return config

    async def _speak(self, socket: WebSocket) -> None:
        config, begun = await self._let_in(socket)
        session = begun.session
        if begun.resumed:
            self._metrics.resumed()
        else:
            self._begin(session)
        seen = config.resume.last_seq if config.resume is not None else 0
        reader = self._reader(socket, session, seen, target=None, partials=config.partials, speaker=True)
        displaced = asyncio.Event()
        number = session.attach(displaced.set)
        try:
            ready = self._ready(session, resumed=begun.resumed)
            await reader.send(ready)
            hearing = self._hear(socket, session, reader, number)
            with self._told():
                await until_one_ends(reader.read(), hearing, _displaced(displaced))
        finally:
            session.detach(number)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """This task tells a client events."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a connection is a task
        self._readers.add(task)
        try:
            yield
        finally:
            self._readers.discard(task)

    def _begin(self, session: Session) -> None:
        self._metrics.opened()
        logger.info(
            "session begun",
            extra={"session": session.names.listen_id, "from": session.source, "to": list(session.targets)},
        )
        task = asyncio.create_task(self._pump(session))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _pump(self, session: Session) -> None:
        """Everything the stream of ``session`` says, then its summary; a defect ends this session alone."""
        try:
            async for event in session.stream:
                self._metrics.heard(event)
                session.told(event)
        except Exception:
            logger.exception("a session failed", extra={"session": session.names.listen_id})
            session.break_off("a defect of the server")
        summary = session.over()
        self._metrics.closed()
        told = {"session": session.names.listen_id, "reason": session.reason, "audio_s": summary.audio_s}
        logger.info("session over", extra={**told, "captions": summary.captions})

    async def _hear(self, socket: WebSocket, session: Session, reader: Reader, number: int) -> None:
        """Take frames until the client has gone, or another connection speaks."""
        rate = MessageRate()
        while True:
            message = await next_message(socket)
            await rate.count()
            if number != session.connections:  # what comes now is sent again over the other one
                raise _taken_over()
            frame = message.get("bytes")
            if frame is not None:
                if len(frame) > self._hall.limits.frame_bytes:
                    raise ProtocolError(
                        "too-big",
                        f"a frame of {len(frame)} bytes; {self._hall.limits.frame_bytes} at most",
                    )
                self._metrics.audio(session.hear(frame))
                continue
            session.noticed()
            said = parse(message.get("text") or "")
            if isinstance(said, Ping):
                await reader.send(Pong(said.id))
            elif isinstance(said, Flush):
                session.flush()
            elif isinstance(said, End):
                session.end("end")
            else:
                raise ProtocolError("bad-message", "config comes first, and once")

    async def _listen(self, socket: WebSocket) -> None:
        self._check(socket)
        session = self._hall.find(socket.path_params["listen_id"])
        target, after, partials = listener_query(socket)
        cursor = session.replay.cursor_before(_BEFORE) if after is None else after
        try:
            session.listen(target)
        except UnsupportedPairError as error:
            raise ProtocolError("unsupported-language", str(error)) from error
        reader = self._reader(socket, session, cursor, target=target, partials=partials, speaker=False)
        try:
            await reader.send(
                Listening(
                    listen_id=session.names.listen_id,
                    source=session.source,
                    targets=session.targets,
                    languages=self._languages,
                    seq=session.replay.last_seq,
                )
            )
            with self._told():
                await until_one_ends(reader.read(), _answer_pings(socket, reader))
        finally:
            session.leave(target)

    def _ready(self, session: Session, *, resumed: bool) -> Ready:
        return Ready(
            session=session.names.secret,
            listen_id=session.names.listen_id,
            resumed=resumed,
            source=session.source,
            targets=session.targets,
            limits=self._hall.limits,
            languages=self._languages,
            audio_received_s=session.sound.received_s,
            journal=self._journal,
        )


async def _nothing_here(socket: WebSocket) -> None:
    await socket.send_denial_response(PlainTextResponse("there is nothing to connect to here", 404))


async def _answer_pings(socket: WebSocket, reader: Reader) -> None:
    """All that a listener may say."""
    rate = MessageRate()
    while True:
        message = await next_message(socket)
        await rate.count()
        said = parse(message["text"]) if message.get("text") is not None else None
        if not isinstance(said, Ping):
            raise ProtocolError("bad-message", "who listens may only ping")
        await reader.send(Pong(said.id))


async def _displaced(displaced: asyncio.Event) -> None:
    await displaced.wait()
    raise _taken_over()


def _taken_over() -> ProtocolError:
    return ProtocolError("taken-over", "the session goes on in another connection")
