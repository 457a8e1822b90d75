"""A live stream on the network, heard on when its connection comes back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from pickle import PicklingError
from typing import NoReturn

import numpy as np

from decalage.audio import AudioChunk, sample_count, seconds
from decalage.clock import Clock, SystemClock
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError, InputError
from decalage.flow.stopping import StopSignal
from decalage.sources.file import FileSource

logger = logging.getLogger(__name__)

_AGAIN_S = 1.0
"""From one try to connect to the next."""
_GIVE_UP_S = 30.0


class UrlSource:
    """16 kHz mono from a URL; of a stream without a stated end, also after its connection was lost.

    The time without it is a hole between two chunks. Given up after 30 s: ``DamagedInputError`` then
    where the connection broke off, a plain end where the other side closed it. Opened on construction,
    as ``FileSource``, which ``connect`` stands for.
    """

    def __init__(
        self, given: str, *, clock: Clock | None = None, connect: Callable[[str], AudioSource] = FileSource
    ) -> None:
        self._clock = clock or SystemClock()
        self._connect = connect
        self._stop = StopSignal()
        self._source = connect(given)
        self.name = given
        self.duration_s = self._source.duration_s

    def __repr__(self) -> str:
        return f"<UrlSource {self._source!r}>"

    def __reduce__(self) -> NoReturn:
        """Stays in this process: it does not give twice what it has given."""
        raise PicklingError(f"{self.name} is open here")

    def __iter__(self) -> Iterator[AudioChunk]:
        first, known = 0, None
        while True:
            began, came, lost = first, self._clock.now(), None
            beginning = _Beginning()
            try:
                for chunk in self._source:
                    came = self._clock.now()
                    beginning.add(chunk)
                    if known is not None and beginning.digest == known:
                        logger.info("%s begins again: it was all there is", self.name)
                        return
                    yield AudioChunk(began + chunk.first, chunk.samples)
                    first = began + chunk.first + len(chunk.samples)
            except DamagedInputError as error:
                lost = error
            if self.duration_s is not None or self._stop.is_set:
                if lost is not None:
                    raise lost
                return
            known = known or beginning.digest
            if not self._again(first, lost):
                return
            first += sample_count(self._clock.now() - came)

    def stop(self) -> None:
        self._stop.set()
        self._source.stop()

    def _again(self, heard: int, lost: DamagedInputError | None) -> bool:
        """Connect anew; False where it ended. Raises ``DamagedInputError`` when it was lost for good."""
        logger.warning("%s was lost after %.1f s; trying again", self.name, seconds(heard))
        until = self._clock.now() + _GIVE_UP_S
        while not self._stop.wait_until(self._clock, self._clock.now() + _AGAIN_S):
            try:
                source = self._connect(self.name)
            except InputError as error:
                logger.debug("%s: %s", self.name, error)
                if self._clock.now() < until:
                    continue
                if lost is None:
                    return False
                raise DamagedInputError(
                    f"{self.name} was lost after {seconds(heard):.1f} s and is not back within "
                    f"{_GIVE_UP_S:g} s; {lost}"
                ) from lost
            self._source = source
            if self._stop.is_set:  # it has stopped the one before
                source.stop()
            return source.duration_s is None  # a playlist that was closed says how long it is
        return False


class _Beginning:
    """How a connection begins, up to its first sound: a server that gives it again gives a file again."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.digest: bytes | None = None
        """Known from the first sound on."""

    def add(self, chunk: AudioChunk) -> None:
        if self.digest is None:
            self._hash.update(chunk.samples.tobytes())
            if np.any(chunk.samples):
                self.digest = self._hash.digest()
