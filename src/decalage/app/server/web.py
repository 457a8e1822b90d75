"""The application that the ASGI server runs: every route behind the guard, and the server's own heartbeat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from decalage.app.allocator import give_back
from decalage.app.server.booth import Booth
from decalage.app.server.door import Door
from decalage.app.server.file_api import file_routes
from decalage.app.server.file_desk import FileDesk
from decalage.app.server.guard import Guard
from decalage.app.server.hall import Hall, Recording
from decalage.app.server.logs import AccessLog
from decalage.app.server.metrics import Load, Metrics
from decalage.app.server.off_loop import off_loop
from decalage.app.server.pages import Pages
from decalage.app.server.protocol import Limits
from decalage.app.server.reader import SEND_LIMIT_S
from decalage.app.server.sockets import Sockets
from decalage.app.server.uploads import FileLimits
from decalage.audio import seconds

_BEAT_S = 0.1
_TRIM_S = 5.0
"""Freed memory is given back when sessions are forgotten, at most so often."""


class Service:
    """Everything a server is but the sockets it listens on."""

    def __init__(
        self,
        booth: Booth,
        door: Door,
        limits: Limits | None = None,
        files: FileLimits | None = None,
        *,
        journal: Recording | None = None,
        send_limit_s: float = SEND_LIMIT_S,
    ) -> None:
        """A client that takes nothing for ``send_limit_s`` is given up."""
        self.hall = Hall(booth, limits or Limits(), recording=journal)
        self.metrics = Metrics(self)
        self._booth = booth
        self._door = door
        self._desk = FileDesk(booth, files or FileLimits())
        self._sockets = Sockets(
            self.hall, booth, self.metrics, door, journal=journal is not None, send_limit_s=send_limit_s
        )
        self._pages = Pages(self.hall, booth, token=door.token is not None, journal=journal is not None)
        self._files = file_routes(booth, self._desk.limits, self._desk)

    def load(self) -> Load:
        """What there is to do now."""
        sessions = self.hall.sessions
        streams = [session.stream.statistics() for session in sessions]
        return Load(
            sessions=len(sessions),
            listeners=sum(session.listeners for session in sessions),
            queue_s=sum(session.sound.waiting_s for session in sessions)
            + seconds(sum(each.samples_waiting for each in streams)),
            spilled_s=seconds(sum(each.samples_spilled for each in streams)),
            shedding=Counter(step for session in sessions for step in session.stream.overload.shed),
            runtime=self._booth.runtime.statistics(),
        )

    def application(self) -> ASGIApp:
        """For an ASGI server. What Starlette itself answers, where something fails, is guarded too."""
        return AccessLog(Guard(Starlette(routes=self.routes(), lifespan=self._alive), self._door))

    def routes(self) -> list[BaseRoute]:
        """Everything that can be asked for."""
        return [
            *self._sockets.routes(),
            *self._pages.routes(),
            *self._files,
            Route("/healthz", self._healthy),
            Route("/readyz", self._ready),
            Route("/metrics", self._measured),
        ]

    async def drain(self) -> None:
        """Take nobody in any more; return when all that was said is answered and told, and all files are."""
        self._desk.close()
        self.hall.end_all("draining")
        await self._sockets.drained()
        await self._desk.emptied()

    async def break_off(self) -> None:
        """Answer nothing more: what is unfinished is told as failures."""
        self.hall.break_off_all("the server stopped before this was done")
        await self._sockets.drained()

    @asynccontextmanager
    async def _alive(self, _app: Starlette) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        """Until the server ends: sound that waited, ends that have come, memory that nobody needs."""
        known, owed, trimmed = 0, False, 0.0
        while True:
            await asyncio.sleep(_BEAT_S)
            self.hall.due()
            now = asyncio.get_running_loop().time()
            known, owed = self.hall.known, owed or self.hall.known < known
            if owed and now - trimmed > _TRIM_S:
                owed, trimmed = False, now
                await off_loop(give_back)

    async def _healthy(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _ready(self, _request: Request) -> Response:
        if self.hall.draining:
            return PlainTextResponse("draining", 503)
        if self.hall.full:
            return PlainTextResponse("full", 503)
        return PlainTextResponse("ok")

    async def _measured(self, _request: Request) -> Response:
        body, content_type = self.metrics.render()
        return Response(body, media_type=content_type)
