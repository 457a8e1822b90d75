"""What the tests of the server share: a booth whose engines are fakes, a server of it, and clients."""

from __future__ import annotations

import asyncio
import functools
import json
import signal
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from decalage.app.server.booth import Booth, Wish
from decalage.app.server.door import Door
from decalage.app.server.hall import Hall
from decalage.app.server.patience import Patience
from decalage.app.server.protocol import Config, Limits
from decalage.app.server.reader import SEND_LIMIT_S
from decalage.app.server.running import Address, Running, listening
from decalage.app.server.session import Session
from decalage.app.server.web import Service
from decalage.app.settings import Settings
from decalage.audio import Samples
from decalage.config import RecognizerOptions, RuntimeOptions, StreamOptions
from decalage.errors import UnsupportedPairError
from decalage.events import Settled, Start
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint, silence, tone

PAIRS = {"en": ("en", "pt", "es"), "pt": ("pt", "en")}
_WAIT_S = 20.0
"""A message that has not come in so long does not come."""

P = ParamSpec("P")


@dataclass
class FakeBooth(Booth):
    """A booth over a real runtime of fakes; ``asked`` keeps the targets of each options."""

    runtime: LocalRuntime
    asked: list[tuple[str, ...]] = field(default_factory=list)
    settings: Settings = field(default_factory=lambda: Settings(model="tiny", targets=("pt",)))

    def options(self, wish: Wish) -> StreamOptions:
        source, targets = wish.source or "en", wish.targets or ("pt",)
        for target in targets:
            if target not in PAIRS.get(source, ()):
                raise UnsupportedPairError(f"no {source} to {target}")
        self.asked.append(targets)
        return StreamOptions(
            targets=targets,
            recognizer=RecognizerOptions(language=source),
            pace="realtime",
            partials=bool(wish.partials),
            stability=wish.stability or "balanced",
        )

    def start_event(self, wish: Wish, given: str) -> Start:
        return Start(
            source=wish.source or "en",
            targets=wish.targets or ("pt",),
            runtime="pipeline",
            workers=1,
            threads=1,
            model="fake",
            beam=1,
            engine="fake",
            encoder_window="auto",
            end_silence=0.5,
            partials=bool(wish.partials),
            stability="balanced",
            pace="realtime",
            input=given,
        )

    def languages(self) -> dict[str, Sequence[object]]:
        pairs = [[source, target] for source, targets in PAIRS.items() for target in targets]
        return {"from": list(PAIRS), "to": ["en", "es", "pt"], "pairs": pairs}


def fake_booth(blueprint: FakeBlueprint | None = None) -> FakeBooth:
    return FakeBooth(PipelineRuntime(blueprint or FakeBlueprint(), RuntimeOptions()))


def read_out(session: Session, clock: ManualClock) -> list[Settled]:
    """Everything the stream of ``session`` has to say, told to it; for a session that has ended."""
    clock.advance(60)
    session.due()  # what came in a burst has been heard by now
    for event in session.stream:
        session.told(event)
    session.over()
    return [event for event in session.replay.settled() if isinstance(event, Settled)]


def hall_of(booth: FakeBooth, clock: ManualClock, **limits: float) -> Hall:
    return Hall(booth, replace(Limits(), **limits), clock=clock)  # type: ignore[arg-type]


CONFIG = Config(source="en", targets=("pt",))


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs in an event loop of its own, with the server."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def config(**fields: object) -> str:
    """The first message, of a speaker of English who sends float32."""
    first = {"type": "config", "version": 1, "from": "en", "to": ["pt"], "encoding": "pcm_f32le"}
    return json.dumps(first | fields)


def spoken(*words: int) -> bytes:
    """Float32 that the fakes hear as ``words``, each ended by a silence."""
    return pcm(np.concatenate([part for word in words for part in (tone(word), silence())]))


def pcm(samples: Samples) -> bytes:
    return bytes(samples.astype("<f4").tobytes())


class Client:
    """One WebSocket to a server."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.told: list[dict[str, Any]] = []
        """All that came."""

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            await self.connection.send(frame)

    async def next(self) -> dict[str, Any]:
        """The next message. Raises ``ConnectionClosed``."""
        async with asyncio.timeout(_WAIT_S):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        self.told.append(message)
        return message

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The next message of this type, in which these fields are so."""
        async with asyncio.timeout(_WAIT_S):
            while True:
                message = await self.next()
                if {"type": kind, **fields}.items() <= message.items():
                    return message

    async def rest(self) -> tuple[int, str]:
        """Read until the server closes; code and reason."""
        try:
            async with asyncio.timeout(_WAIT_S):
                while True:
                    await self.next()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.told if message["type"] == kind]

    def abort(self) -> None:
        """Break the connection: the server gets a reset, no word of farewell."""
        bare: socket.socket = self.connection.transport.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.transport.abort()


@dataclass(frozen=True)
class Served:
    """A server that runs in this loop."""

    running: Running
    service: Service
    url: str
    """As ``http://127.0.0.1:1/``."""

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rsplit(":", 1)[1])

    @asynccontextmanager
    async def client(self, path: str = "/v1/stream", **options: Any) -> AsyncIterator[Client]:
        url = "ws" + self.url.rstrip("/").removeprefix("http") + path
        async with connect(url, proxy=None, ping_interval=None, close_timeout=2, **options) as connection:
            yield Client(connection)

    @asynccontextmanager
    async def speaker(self, **fields: object) -> AsyncIterator[Client]:
        """Whose session has begun."""
        async with self.client() as client:
            await client.send(config(**fields))
            await client.until("ready")
            yield client

    def listener(self, listen_id: str, query: str = "", **options: Any) -> Any:
        return self.client(f"/v1/sessions/{listen_id}/captions{query}", **options)

    @asynccontextmanager
    async def raw(
        self, sent: bytes = b"", *, receive_bytes: int | None = None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare connection; ``receive_bytes`` is what the system keeps of what comes."""
        bare = socket.socket()
        if receive_bytes is not None:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=bare, limit=1024)
        writer.write(sent)
        try:
            async with asyncio.timeout(_WAIT_S):
                yield reader, writer
        finally:
            writer.transport.abort()

    async def asked(self, *lines: str) -> bytes:
        """The whole answer to a request as it is written."""
        request = [*lines, "Connection: close", "", ""]
        async with self.raw("\r\n".join(request).encode()) as (reader, _):
            return await reader.read(-1)

    async def serves(self, word: int = 7) -> None:
        """Fails unless somebody who behaves is captioned."""
        async with self.speaker() as speaker:
            await speaker.send(spoken(word), '{"type":"end"}')
            assert (await speaker.rest())[0] == 1000
        assert [each["text"]["en"] for each in speaker.all("caption")] == [f"word {word}"]


@asynccontextmanager
async def served(
    booth: FakeBooth | None = None,
    door: Door | None = None,
    *,
    address: Address | None = None,
    patience: Patience | None = None,
    send_limit_s: float = SEND_LIMIT_S,
    send_bytes: int | None = None,
    **limits: float,
) -> AsyncIterator[Served]:
    """A server until the context ends; ``send_bytes`` is what the system keeps of what it sends."""
    booth = booth or fake_booth()
    kept = replace(Limits(), **limits)  # type: ignore[arg-type]
    service = Service(booth, door or Door(), kept, send_limit_s=send_limit_s)
    address = address or Address(port=0)
    running = Running(service, address, patience=patience)
    with listening(address) as (bound, url):
        if send_bytes is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        started = asyncio.Event()
        serving = asyncio.create_task(running.until_stopped(bound, started.set))
        try:
            async with asyncio.timeout(_WAIT_S):
                await started.wait()
            yield Served(running, service, url)
        finally:
            running.handle_exit(signal.SIGTERM, None)
            await serving
            booth.close()


def trusting(certificate: str) -> ssl.SSLContext:
    """For a client that knows this certificate only."""
    return ssl.create_default_context(cafile=certificate)
