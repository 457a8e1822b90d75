"""A file on its way in: from the body of a request, or a part of its form, to a private temporary file.

::

    receive ─▶ Incoming ──────▶ (Form) ─▶ Spool ─▶ 0600 in a 0700 folder of its own
               bytes and time             1 MiB    gone when the context ends, however it ends

``TMPDIR`` says where; it needs room for ``upload_bytes`` of each file that is being sent or waits.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.requests import ClientDisconnect, Request

from decalage.app.server.off_loop import off_loop
from decalage.app.server.refusals import RefusedError
from decalage.sinks.captions import clean

_BLOCK = 1 << 20
"""Bytes that may wait in memory to be written."""
_LEAST_BYTES_PER_S = 4_000
"""A client is slower on average than any sound: it holds a place and sends next to nothing."""
_NAME_LETTERS = 100
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")
_BY_MIME = {"audio/mpeg": ".mp3", "audio/aac": ".aac"}
"""Sound that FFmpeg does not know by its content where a large picture stands before it."""
UNNAMED = "the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What strangers may ask for with files."""

    upload_bytes: int = 1_000_000_000
    silence_s: float = 30.0
    """A client may be so long without sending, or taking, a byte."""
    sound_s: float = 12 * 3600.0
    """The longest recording."""
    runs: int = 1
    """Files that are heard at a time."""
    waiting: int = 4
    """Files that may be sent, or wait, while others are heard."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has come in whole."""

    path: Path
    name: str
    """What the client calls it, fit for a message."""
    fields: Sequence[tuple[str, str]] = ()
    """The rest of its form, in order."""


@asynccontextmanager
async def received_body(request: Request, limits: FileLimits, name: str = "") -> AsyncIterator[Upload]:
    """The body as a file, until the context ends.

    Raises ``RefusedError`` (400 empty, 408 silent, 413 too big), ``ClientDisconnect``.
    """
    incoming = Incoming(request, limits)
    suffix = suffix_of(name) or _BY_MIME.get(_mime(request), "")
    with spooling() as spool:
        spool.open(suffix)
        while (piece := await incoming.piece()) is not None:
            spool.add(piece)
            await spool.settle()
        await spool.finish()
        if not spool.size:
            raise RefusedError(400, "the body is empty; send a file as it is", "no_file", param="file")
        yield Upload(spool.path, shown_name(name))


class Incoming:
    """A request's body, piece by piece, within the limits."""

    def __init__(self, request: Request, limits: FileLimits, *, beside: int = 0) -> None:
        """``beside``: bytes that are not of the file. Refuses a length that the client tells at once."""
        self._receive = request.receive
        self._limits = limits
        self._most = limits.upload_bytes + beside
        self._began = asyncio.get_running_loop().time()
        self._came = 0
        self._more = True
        told = request.headers.get("content-length", "")
        if told.isdecimal() and (len(told) > 18 or int(told) > self._most):
            raise self._too_big()

    async def piece(self) -> bytes | None:
        """What comes next, perhaps nothing; None at the end."""
        if not self._more:
            return None
        now = asyncio.get_running_loop().time()
        silence_s = self._limits.silence_s
        due = min(now, self._began + self._came / _LEAST_BYTES_PER_S) + silence_s
        try:
            async with asyncio.timeout_at(due):
                message = await self._receive()
        except TimeoutError as error:
            told = f"no more than {self._came} bytes came; {silence_s:g} s without any are too many"
            raise RefusedError(408, told, "too_slow", headers={"connection": "close"}) from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        self._more = message.get("more_body", False)
        self._came += len(piece)
        if self._came > self._most:
            raise self._too_big()
        return piece

    def _too_big(self) -> RefusedError:
        told = f"the file is too big: {self._limits.upload_bytes} bytes are taken"
        return RefusedError(413, told, "too_big", param="file")


class Spool:
    """Bytes on their way to a file in ``folder``, a block at a time: the event loop waits for no disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sound"
        self.size = 0
        self._descriptor: int | None = None
        self._block = bytearray()

    def open(self, suffix: str) -> None:
        """Make the file, which nobody else can read."""
        self.path = self.path.with_suffix(suffix)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o600)

    def add(self, piece: bytes) -> None:
        """``piece`` comes next."""
        self._block += piece
        self.size += len(piece)

    async def settle(self, least: int = _BLOCK) -> None:
        """Write what waits, if that is ``least`` bytes."""
        if self._descriptor is None or len(self._block) < least:
            return
        block, self._block = self._block, bytearray()
        await off_loop(_write, self._descriptor, block)

    async def finish(self) -> None:
        """Write the rest."""
        await self.settle(1)
        self.close()

    def close(self) -> None:
        """No more. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def shown_name(given: str) -> str:
    """A name that a client gave, without its folders and without what a message could not hold."""
    return clean(re.split(r"[/\\]", given)[-1])[:_NAME_LETTERS] or UNNAMED


@contextmanager
def spooling() -> Iterator[Spool]:
    """A spool whose file and folder are gone in the end. A reader that is still at it keeps its sound."""
    with TemporaryDirectory(prefix="decalage-", ignore_cleanup_errors=True) as folder:
        spool = Spool(Path(folder))
        try:
            yield spool
        finally:
            spool.close()


def _write(descriptor: int, block: bytearray) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def suffix_of(name: str) -> str:
    """The extension of a name that a client gave, if it looks like one."""
    suffix = Path(name).suffix
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""


def _mime(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
