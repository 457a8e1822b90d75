"""What clients that mean no good do to a server: each attack counts what it was answered.

The first line of an attack says what is done. ``scripts.hostile`` carries them out.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

CONFIG = '{"type":"config","version":1,"from":"en","to":"pt","encoding":"%s"}'
END = '{"type":"end"}'
_AT_ONCE = 50
Answers: TypeAlias = "Counter[str]"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack."""

    url: str
    """ws://127.0.0.1:PORT"""
    listen_id: str
    seconds: float

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0


Attack: TypeAlias = Callable[[Target, Answers], Coroutine[Any, Any, None]]


@asynccontextmanager
async def _bare(
    target: Target, sent: bytes = b"", receive_bytes: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is reset in the end."""
    bare = socket.socket()
    if receive_bytes is not None:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bare.setblocking(False)
    await asyncio.get_running_loop().sock_connect(bare, target.place)
    reader, writer = await asyncio.open_connection(sock=bare, limit=1024)
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _answer(connection: ClientConnection) -> str:
    """How the server ends it."""
    code = ""
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(10):
                async for text in connection:
                    message = json.loads(text)
                    code = f"{message['code']}, " if message["type"] == "error" else code
        except ConnectionClosed:
            pass
        return f"{code}{connection.close_code}"
    return "left open"


async def _say(target: Target, answers: Answers, *frames: str | bytes) -> None:
    async with connect(f"{target.url}/v1/stream", compression=None, max_queue=None) as connection:
        with suppress(ConnectionClosed):
            for frame in frames:
                await connection.send(frame)
        answers[await _answer(connection)] += 1


async def _come_and_go(target: Target, answers: Answers, number: int) -> None:
    if number % 5 < 2:
        half = b"GET /v1/stream HTTP/1.1\r\nHost: local" if number % 5 else b""
        async with _bare(target, half):
            answers["(nothing: gone before an answer)"] += 1
        return
    async with connect(f"{target.url}/v1/stream", compression=None) as connection:
        await connection.send(CONFIG % "pcm_s16le")
        if number % 5 == 2:
            message = json.loads(await connection.recv())
            answers[message.get("code", message["type"])] += 1
            return
        if number % 5 == 3:
            connection.transport.write(b"\x82\xfe\x19\x00\0\0\0\0" + bytes(3000))  # half of a frame
        bare = connection.transport.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()
        answers["(nothing: reset)"] += 1


async def connects(target: Target, answers: Answers) -> None:
    """1 000 connections that leave at once: TCP only, half a request, a session, reset, in mid-frame."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            try:
                await _come_and_go(target, answers, number)
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                answers[type(error).__name__] += 1

    await asyncio.gather(*(one(number) for number in range(1000)))


async def slow_requests(target: Target, answers: Answers) -> None:
    """200 connections that send a request's head a byte at a time (slowloris)."""

    async def one() -> None:
        began = time.monotonic()
        async with _bare(target, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ") as (reader, writer):
            with suppress(ConnectionError):
                while not reader.at_eof() and time.monotonic() - began < 60:
                    writer.write(b"x")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(100), 1.0)
            waited_s = time.monotonic() - began
        answers[f"closed after {waited_s:.0f} s" if waited_s < 60 else "left open"] += 1

    await asyncio.gather(*(one() for _ in range(200)))


async def giants(target: Target, answers: Answers) -> None:
    """Messages of 132 kB to 20 MB, and a request's head of 1 MB."""
    until = time.monotonic() + target.seconds
    while time.monotonic() < until:
        for size in (132_000, 300_000, 20_000_000):
            await _say(target, answers, CONFIG % "pcm_s16le", bytes(size))
        await _say(target, answers, "[" * 250_000)
        async with _bare(target, b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000) as (reader, _):
            with suppress(ConnectionError):
                answers[(await reader.read(12)).decode("latin-1") or "closed"] += 1


async def no_sound(target: Target, answers: Answers) -> None:
    """NaN, half samples, noise as Opus, an hour of sound at once."""
    until = time.monotonic() + target.seconds
    dice = random.Random(1)  # noqa: S311 - to be the same each time
    nan = np.full(100, np.nan, "<f4").tobytes()
    while time.monotonic() < until:
        await _say(target, answers, CONFIG % "pcm_f32le", nan)
        await _say(target, answers, CONFIG % "pcm_s16le", b"123")
        opus = [dice.randbytes(dice.randrange(1, 400))] * 20
        await _say(target, answers, CONFIG % "opus", *opus, END)
        await _say(target, answers, CONFIG % "pcm_s16le", *[bytes(128_000)] * 900)


async def noise(target: Target, answers: Answers) -> None:
    """Random bytes: on bare connections, below the frames, as frames and as text."""
    until = time.monotonic() + target.seconds
    dice = random.Random(2)  # noqa: S311 - to be the same each time
    while time.monotonic() < until:
        async with _bare(target, dice.randbytes(2000) + b"\r\n\r\n") as (reader, _):
            with suppress(ConnectionError):
                answers[(await reader.read(12)).decode("latin-1") or "closed"] += 1
        async with connect(f"{target.url}/v1/stream", compression=None) as connection:
            connection.transport.write(dice.randbytes(200))
            answers[await _answer(connection)] += 1
        await _say(target, answers, CONFIG % "pcm_f32le", *[dice.randbytes(400) for _ in range(20)])
        await _say(target, answers, dice.randbytes(300).decode("latin-1"))


async def floods(target: Target, answers: Answers) -> None:
    """10 connections at a time that send tiny frames as fast as they can: pings, parts, messages."""
    until = time.monotonic() + target.seconds
    ping, part, flush = b"\x89\x80\0\0\0\0", b"\x00\x80\0\0\0\0", b'\x81\x90\0\0\0\0{"type":"flush"}'

    async def one(number: int) -> None:
        flood = (ping * 50_000, b"\x02\x80\0\0\0\0" + part * 50_000, flush * 20_000)[number % 3]
        while time.monotonic() < until:
            async with connect(f"{target.url}/v1/stream", compression=None, max_queue=None) as connection:
                await connection.send(CONFIG % "pcm_s16le")
                connection.transport.write(flood)
                answers[await _answer(connection)] += 1

    await asyncio.gather(*(one(number) for number in range(10)))


async def no_readers(target: Target, answers: Answers) -> None:
    """50 listeners that ask for answers, 3 000 each, and read none of what they are sent."""
    path = f"GET /v1/sessions/{target.listen_id}/captions HTTP/1.1|Host: localhost|Upgrade: websocket"
    head = f"{path}|Connection: Upgrade|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: {'A' * 22}==||"
    text = json.dumps({"type": "ping", "id": "x" * 60}).encode()
    ping = b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text

    async def one() -> None:
        async with _bare(target, head.replace("|", "\r\n").encode(), 4096) as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            began = time.monotonic()
            writer.write(ping * 3_000)
            while not writer.transport.is_closing() and time.monotonic() - began < 60:
                await asyncio.sleep(1.0)  # asyncio sees a reset when it writes, or reads
                writer.write(ping)
            waited_s = time.monotonic() - began
        answers["given up within 60 s" if waited_s < 60 else "left open"] += 1

    await asyncio.gather(*(one() for _ in range(50)))


ATTACKS: Sequence[Attack] = (connects, slow_requests, giants, no_sound, noise, floods, no_readers)


def carry_out(number: int, target: Target) -> Answers:
    """One of ``ATTACKS``, in this process."""
    answers: Answers = Counter()
    asyncio.run(ATTACKS[number](target, answers))
    return answers
