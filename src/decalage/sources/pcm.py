"""Raw PCM from a pipe: signed 16-bit little-endian, mono, 16 kHz."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.errors import DamagedInputError, InputError

_READ_BYTES = SAMPLE_RATE // 10 * 2
"""A tenth of a second at most in one chunk."""


class PcmSource:
    """Sound as it arrives on ``stream``, in chunks of up to 0.1 s.

    ``stop`` ends a blocked read at once where the system can wait on pipes (not on Windows: there
    it ends with the next byte). Raises ``InputError`` when nothing comes at all, and
    ``DamagedInputError`` at the end when half a sample is left over.
    """

    name = "standard input"
    duration_s: float | None = None

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stopped = False
        self._head = self._peek()
        self._wake, self._waker = socket.socketpair()

    def __iter__(self) -> Iterator[AudioChunk]:
        first, rest = 0, b""
        try:
            while data := self._head or self._read():
                self._head = b""
                data = rest + data
                whole = len(data) // 2 * 2
                rest = data[whole:]
                samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) * np.float32(1 / 32_768)
                if len(samples):
                    yield AudioChunk(first, samples)
                    first += len(samples)
        finally:
            self._wake.close()
        if self._stopped:
            return
        if not first:
            raise InputError("no sound on standard input; pipe PCM16 mono 16 kHz into it")
        if rest:
            raise DamagedInputError("standard input ended in the middle of a sample")

    def stop(self) -> None:
        self._stopped = True
        self._waker.close()

    def _read(self) -> bytes:
        """What is there, waiting for something; empty at the end or when stopped."""
        if self._stopped:
            return b""
        if sys.platform == "win32":
            return self._stream.read(_READ_BYTES)
        number = self._stream.fileno()
        waker = self._wake.fileno()
        ready, _, _ = select.select([number, waker], [], [])
        if waker in ready:
            return b""
        try:
            return os.read(number, _READ_BYTES)
        except OSError as error:
            raise DamagedInputError(f"standard input cannot be read: {error.strerror}") from error

    def _peek(self) -> bytes:
        """What is there already; an input that has ended, or is none, is refused before a run starts."""
        if sys.platform == "win32":
            return b""
        number = self._stream.fileno()
        if not select.select([number], [], [], 0)[0]:
            return b""
        try:
            data = os.read(number, _READ_BYTES)
        except OSError as error:
            raise InputError(f"standard input cannot be read: {error.strerror}") from error
        if not data:
            raise InputError("no sound on standard input; pipe PCM16 mono 16 kHz into it")
        return data
