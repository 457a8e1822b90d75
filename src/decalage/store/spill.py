"""Sound that memory has no room for, in a file of its own until it is taken back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from decalage.audio import Samples
from decalage.store.files import cache_folder

_SAMPLE_BYTES = 4


class SoundSpill:
    """First in, first out: a ring of ``capacity`` samples, float32, in a file that nobody else can open.

    The file has no name (on Windows it is deleted when it is closed) and is made when it is first needed.
    It lies beside the models: the system's folder for temporary files is often memory. Not safe for threads.
    """

    def __init__(self, capacity: int, folder: Path | None = None) -> None:
        """``folder``: another than that of the cache."""
        self._capacity = capacity
        self._folder = folder or cache_folder().with_name("waiting")
        self._file: BinaryIO | None = None
        self._first = 0  # place of the oldest sample
        self.waiting = 0
        """Samples inside."""
        self.peak = 0
        """The most that ever were."""
        self.refused: str | None = None
        """Why nothing more is taken: the disk refused."""

    def __repr__(self) -> str:
        return f"<SoundSpill {self.waiting}/{self._capacity} samples>"

    def append(self, samples: Samples) -> bool:
        """Take ``samples``, all or none; False where there is no room, or the disk refuses."""
        if self.refused is not None or self.waiting + len(samples) > self._capacity:
            return False
        end = (self._first + self.waiting) % self._capacity
        before_edge = min(len(samples), self._capacity - end)
        try:
            self._write(end, samples[:before_edge])
            self._write(0, samples[before_edge:])
        except OSError as error:
            self.refused = error.strerror or type(error).__name__
            return False
        self.waiting += len(samples)
        self.peak = max(self.peak, self.waiting)
        return True

    def take(self, count: int) -> Samples:
        """The oldest ``count`` samples, fewer where there are not so many. Raises ``OSError``."""
        count = min(count, self.waiting)
        before_edge = min(count, self._capacity - self._first)
        taken = np.concatenate([self._read(self._first, before_edge), self._read(0, count - before_edge)])
        self.skip(count)
        return taken

    def skip(self, count: int) -> None:
        """Forget the oldest ``count`` samples."""
        count = min(count, self.waiting)
        self._first = (self._first + count) % self._capacity
        self.waiting -= count
        if not self.waiting:
            self._first = 0  # the file grows no further than it must

    def close(self) -> None:
        """Let go of the file and what is in it. Idempotent."""
        self.waiting = 0
        self._capacity = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, place: int, samples: Samples) -> None:
        if not len(samples):
            return
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Unbuffered: what the disk refuses is told here.
            self._file = tempfile.TemporaryFile(prefix="decalage-", dir=self._folder, buffering=0)  # noqa: SIM115 - lives on
        self._file.seek(place * _SAMPLE_BYTES)
        data = memoryview(samples.astype(np.float32, copy=False).tobytes())
        while data:
            data = data[self._file.write(data) :]

    def _read(self, place: int, count: int) -> Samples:
        if not count:
            return np.zeros(0, np.float32)
        assert self._file is not None  # noqa: S101 - what waits was written
        self._file.seek(place * _SAMPLE_BYTES)
        data = self._file.read(count * _SAMPLE_BYTES)
        if len(data) != count * _SAMPLE_BYTES:
            raise OSError(f"{len(data)} of {count * _SAMPLE_BYTES} bytes came back")
        return np.frombuffer(data, np.float32)
