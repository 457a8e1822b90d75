"""A server of its own process, and light clients of it: what the trials of `decalage serve` share."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from decalage.audio import SAMPLE_RATE

FRAME = SAMPLE_RATE // 10
"""Samples of one frame: a tenth of a second."""
_START_LIMIT_S = 60.0
_LINES = 1000


@dataclass
class Server:
    """``decalage serve`` as it is installed, on a free port of this machine."""

    url: str
    """ws://127.0.0.1:PORT"""
    process: psutil.Process
    told: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    """The newest lines of its standard error, from when it was ready."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the server and its children so far."""
        times = [each.cpu_times() for each in self._tree()]
        return float(sum(each.user + each.system for each in times))

    @property
    def memory_mb(self) -> float:
        """Proportional set size of the server and its children."""
        return float(sum(each.memory_full_info().pss for each in self._tree())) / 1e6

    def handles(self) -> tuple[int, int]:
        """(threads, file descriptors)."""
        return self.process.num_threads(), self.process.num_fds()

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server with these options, stopped by SIGTERM. Raises ``RuntimeError`` where it ends badly."""
    command = [sys.executable, "-m", "decalage", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        guard = threading.Timer(_START_LIMIT_S, process.kill)
        guard.start()
        try:
            port = _port(process)
            guard.cancel()
            server = Server(f"ws://127.0.0.1:{port}", psutil.Process(process.pid))
            # Nobody else empties the pipe, and a full one would stop the server.
            threading.Thread(target=_drain, args=(process, server.told), daemon=True).start()
            yield server
        finally:
            guard.cancel()
            process.terminate()
            process.wait(60)
    if process.returncode:
        raise RuntimeError(f"the server ended with {process.returncode}")


def _port(process: subprocess.Popen[str]) -> int:
    told = []
    assert process.stderr is not None  # noqa: S101
    for line in process.stderr:
        told.append(line)
        if found := re.search(r"serving at http://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    raise RuntimeError(f"the server did not start:\n{''.join(told)}")


def _drain(process: subprocess.Popen[str], told: deque[str]) -> None:
    assert process.stderr is not None  # noqa: S101
    with suppress(ValueError):  # closed at the end
        for line in process.stderr:
            told.append(line)
            if "ERROR" in line:
                sys.stderr.write(line)


@dataclass
class Heard:
    """What one client got, each message with when it came (seconds, the loop's clock)."""

    began: float = 0.0
    """When sample 0 was spoken."""
    listen_id: str = ""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    captioned: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first caption."""

    def take(self, at: float, body: dict[str, Any]) -> None:
        """One more has come."""
        self.messages.append((at, body))
        if body["type"] == "caption":
            self.captioned.set()

    def of(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """Those of one type."""
        return [(at, body) for at, body in self.messages if body["type"] == kind]

    @property
    def lags(self) -> list[float]:
        """From the end of speech to the caption at the client, seconds."""
        return [at - self.began - body["timing"]["speech_end"] for at, body in self.of("caption")]

    @property
    def settled(self) -> list[int]:
        """Indices, as they came."""
        kinds = ("caption", "failure", "rejected", "gap")
        return [body["index"] for _, body in self.messages if body["type"] in kinds]


async def speak(
    server: str,
    sound: bytes,
    heard: Heard,
    config: Mapping[str, Any],
    *,
    ready: asyncio.Event | None = None,
) -> Heard:
    """Say ``sound``, PCM16 at 16 kHz, as it is spoken; everything that came back, in ``heard``."""
    loop = asyncio.get_running_loop()
    async with connect(f"{server}/v1/stream", compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "config", "version": 1, **config}))
        heard.listen_id = json.loads(await socket.recv())["listen_id"]
        if ready is not None:
            ready.set()
        heard.began = loop.time()

        async def say() -> None:
            step = 2 * FRAME
            for number, place in enumerate(range(0, len(sound), step), 1):
                await asyncio.sleep(max(0.0, heard.began + number * 0.1 - loop.time()))
                await socket.send(sound[place : place + step])
            await socket.send('{"type":"end"}')

        saying = asyncio.create_task(say())
        try:
            async for text in socket:
                heard.take(loop.time(), json.loads(text))
        except ConnectionClosed as error:
            heard.take(loop.time(), {"type": "lost", "message": str(error)})
        await saying
    return heard


async def listen(server: str, listen_id: str, heard: Heard, target: str) -> Heard:
    """Read along until the session is over."""
    loop = asyncio.get_running_loop()
    address = f"{server}/v1/sessions/{listen_id}/captions?to={target}"
    async with connect(address, compression=None, max_size=None) as socket:
        async for text in socket:
            heard.take(loop.time(), json.loads(text))
    return heard
