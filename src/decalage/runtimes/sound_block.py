"""Samples in memory that two processes share."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from decalage.audio import Samples

logger = logging.getLogger(__name__)

_BYTES = 4  # float32


class SoundBlock:
    """Room for ``size`` samples. Made by one process (``name`` None), attached to by others by name.

    Not locked: whoever holds the turn in the conversation about it reads or writes. ``close`` takes
    it from the system when its maker does it.
    """

    def __init__(self, size: int, name: str | None = None) -> None:
        self._closing = threading.Lock()  # a runtime closes it beside the thread that is given another
        self._made = name is None
        self._memory = SharedMemory(name, create=self._made, size=max(1, size) * _BYTES)
        self.size = self._memory.size // _BYTES
        self.name = self._memory.name

    def __repr__(self) -> str:
        return f"<SoundBlock {self.name} {self.size} samples>"

    def write(self, samples: Samples, at: int = 0) -> None:
        """Copy ``samples`` in from place ``at`` on. ``ValueError`` where they do not fit or when closed."""
        self._view(len(samples), at)[:] = samples

    def read(self, length: int, at: int = 0) -> Samples:
        """A copy of ``length`` samples from place ``at`` on. ``ValueError`` when closed."""
        return self._view(length, at).copy()

    def _view(self, length: int, at: int) -> Samples:
        """Not to be kept: a view keeps the memory from being closed."""
        if self._memory.buf is None:
            raise ValueError(f"{self!r} is closed")
        return np.ndarray((length,), np.float32, self._memory.buf, at * _BYTES)

    def close(self) -> None:
        """Let go of it. Idempotent, from any thread."""
        with self._closing:
            if self._made:
                self._made = False
                with suppress(FileNotFoundError):  # who had no memory to attach to it has taken it away
                    self._memory.unlink()
            try:
                self._memory.close()
            except BufferError:
                logger.warning("%r is closed while a thread copies; it goes with this process", self)
