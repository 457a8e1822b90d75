"""A server that captions nothing: it speaks the protocol, cuts connections on order, keeps what came."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from decalage.events import Caption, Event, as_json
from tests.sinks.events import START, SUMMARY, caption

RATE = 16_000
SECRET = "kq3"  # noqa: S105 - of a session that never was
LISTEN_ID = "Zt8"


@dataclass
class StandIn:
    """What it does; and, once it serves, what it saw."""

    cuts: list[int] = field(default_factory=list)
    """Sample counts at which the connection is cut, each once; of a listener, numbers of events."""
    fault: tuple[str, str] | None = None
    """Refuses whoever comes with this code and message."""
    close_with: int | None = None
    """Closes with this code where it would say ready."""
    status: int | None = None
    """Answers HTTP instead."""
    busy: int = 0
    """So many who come back to a session are answered HTTP 503."""
    fault_later: tuple[str, str] | None = None
    """Is told at the first sound, once."""
    reason: str = "end"
    """With another one the session ends at the first sound."""
    settled: Callable[[int], Event] = lambda index: caption(
        index, en=f"Sentence {index}.", pt=f"Frase {index}."
    )
    """What the utterance of that index becomes; every half second of sound and every flush is one."""
    deaf: bool = False
    """Does not answer ``end``."""
    limits: dict[str, float] = field(
        default_factory=lambda: {"frame_bytes": 64_000, "grace_s": 20, "ahead_s": 60, "idle_s": 60}
    )
    told: list[tuple[int, Event]] = field(default_factory=list)
    """The events of a listener; else those that were sent so far."""
    received: bytearray = field(default_factory=bytearray)
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What came as JSON."""
    requests: list[Request] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    """Sound has come."""
    ended: threading.Event = field(default_factory=threading.Event)
    """An ``end`` has come."""
    url: str = ""

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        status = self.status
        if self.busy and self.messages:
            self.busy, status = self.busy - 1, 503
        return None if status is None else Response(status, "No", Headers(), b"")

    async def __call__(self, connection: ServerConnection) -> None:
        try:
            if not await self._refused(connection):
                path = urlsplit(self.requests[-1].path)
                listens = path.path == f"/v1/sessions/{LISTEN_ID}/captions"
                query = {name: values[-1] for name, values in parse_qs(path.query).items()}
                await (self._listened(connection, query) if listens else self._spoken(connection))
        except ConnectionClosed:
            return

    async def _refused(self, connection: ServerConnection) -> bool:
        if self.close_with is not None:
            await connection.close(self.close_with, "no more room")
        elif self.fault is not None:
            await self._failed(connection, self.fault)
        else:
            return False
        return True

    async def _failed(self, connection: ServerConnection, fault: tuple[str, str]) -> None:
        await say(connection, type="error", code=fault[0], message=fault[1], fatal=True)
        await connection.close(1008)

    async def _listened(self, connection: ServerConnection, query: dict[str, str]) -> None:
        await say(
            connection, type="ready", listen_id=LISTEN_ID, protocol=1, source="en", targets=["pt"], seq=9
        )
        after = int(query.get("after", 0))
        for seq, event in self.told:
            if seq >= after:  # the last one twice: a client drops it
                await say(connection, **as_json(event), seq=seq)
            if self.cuts and self.cuts[0] == seq:
                self.cuts.pop(0)
                connection.transport.abort()
                return
        if self.deaf:
            await connection.wait_closed()
        await say(connection, type="closed", flushed=True, reason=self.reason)

    async def _spoken(self, connection: ServerConnection) -> None:
        config = json.loads(await connection.recv())
        self.messages.append(config)
        resume = config.get("resume")
        await say(connection, **self._ready(resumed=resume is not None))
        if resume is None:
            await self._tell(connection, START)
        else:
            for seq, event in self.told:
                if seq >= resume["last_seq"]:  # the last one twice
                    await say(connection, **as_json(event), seq=seq)
        async for message in connection:
            if isinstance(message, bytes):
                if not await self._sound(connection, message):
                    return
            elif not await self._message(connection, json.loads(message)):
                return

    def _ready(self, *, resumed: bool) -> dict[str, Any]:
        return {
            "type": "ready",
            "session": SECRET,
            "listen_id": LISTEN_ID,
            "protocol": 1,
            "resumed": resumed,
            "source": "en",
            "targets": ["pt"],
            "limits": self.limits,
            "languages": {"from": ["en"], "to": ["pt"], "pairs": [["en", "pt"]]},
            "audio_received_s": self.count / RATE,
            "journal": False,
        }

    @property
    def count(self) -> int:
        """Samples that came."""
        return len(self.received) // 2

    async def _sound(self, connection: ServerConnection, sound: bytes) -> bool:
        assert len(sound) % 2 == 0
        before = self.count
        self.received += sound
        self.heard.set()
        if self.fault_later is not None:
            fault, self.fault_later = self.fault_later, None
            await self._failed(connection, fault)
            return False
        if self.reason != "end":
            await self._over(connection)
            return False
        if self.cuts and self.count >= self.cuts[0]:
            self.cuts.pop(0)
            connection.transport.abort()
            return False
        for _ in range(before // (RATE // 2), self.count // (RATE // 2)):
            await self._utterance(connection)
        await say(connection, type="ack", audio_received_s=self.count / RATE)
        return True

    async def _message(self, connection: ServerConnection, message: dict[str, Any]) -> bool:
        self.messages.append(message)
        if message["type"] == "flush":
            await self._utterance(connection)
        elif message["type"] == "end":
            self.ended.set()
            if not self.deaf:
                await self._over(connection)
                return False
        return True

    async def _over(self, connection: ServerConnection) -> None:
        await self._tell(connection, SUMMARY)
        await say(connection, type="closed", flushed=True, reason=self.reason)

    async def _utterance(self, connection: ServerConnection) -> None:
        settled = sum(event is not START for _, event in self.told)
        await self._tell(connection, self.settled(settled))

    async def _tell(self, connection: ServerConnection, event: Event) -> None:
        seq = len(self.told) + 1
        self.told.append((seq, event))
        await say(connection, **as_json(event), seq=seq)

    @property
    def captions(self) -> list[Caption]:
        """Those it has told."""
        return [event for _, event in self.told if isinstance(event, Caption)]


async def say(connection: ServerConnection, **body: Any) -> None:
    await connection.send(json.dumps(body))


@contextmanager
def serving(stand_in: StandIn | None = None) -> Iterator[StandIn]:
    """It, on a port of this machine, in a loop and thread of its own."""
    server = stand_in or StandIn()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Server:
        return await serve(server, "127.0.0.1", 0, process_request=server._answer)

    async def stop(listener: Server) -> None:
        listener.close()
        await listener.wait_closed()

    listener = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    port = next(iter(listener.sockets)).getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(listener), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
