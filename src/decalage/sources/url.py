"""A live stream on the network, heard on when its connection comes back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from pickle import PicklingError
from typing import NoReturn

import numpy as np

from decalage.audio import AudioChunk, sample_count, seconds
from decalage.clock import Clock, OutsideClock, SystemClock
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError, InputError
from decalage.flow.stopping import StopSignal
from decalage.sources.file import FileSource, without_password

logger = logging.getLogger(__name__)

_AGAIN_S = 1.0
"""From one try to connect to the next."""
_GIVE_UP_S = 30.0
_ALIKE_S = 2.0
"""So much of two connections that are the same is no chance."""


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
        self._outside = clock or OutsideClock()
        self._connect = connect
        self._stop = StopSignal()
        self._source = connect(given)
        self._came = self._outside.now()
        self.name = without_password(given)
        self._given = given
        self.duration_s = self._source.duration_s

    def __repr__(self) -> str:
        return f"<UrlSource {self._source!r}>"

    def __reduce__(self) -> NoReturn:
        """Stays in this process: it does not give twice what it has given."""
        raise PicklingError(f"{self.name} is open here")

    def __iter__(self) -> Iterator[AudioChunk]:
        first, known = 0, None
        while True:
            self._came, lost = self._outside.now(), None
            beginning = _Beginning(known)
            try:
                for chunk in self._connection(first, beginning):
                    yield chunk
                    first = chunk.first + len(chunk.samples)
            except DamagedInputError as error:
                lost = error
            if beginning.again:
                logger.info("%s begins again: it was all there is", self.name)
                return
            if self.duration_s is not None or self._stop.is_set or not self._again(first, lost):
                if lost is not None and not self._stop.is_set:
                    raise lost
                return
            # What broke off may well begin again as it began: then there was more of it.
            known = beginning.digest if lost is None else None
            first += sample_count(self._outside.now() - self._came)

    def _connection(self, began: int, beginning: _Beginning) -> Iterator[AudioChunk]:
        """What one connection gives, from sample ``began`` on."""
        for chunk in self._source:
            self._came = self._outside.now()
            for ready in beginning.add(chunk):
                yield AudioChunk(began + ready.first, ready.samples)
            if beginning.again:
                self._source.stop()
                return
        for ready in beginning.rest():
            yield AudioChunk(began + ready.first, ready.samples)

    def stop(self) -> None:
        self._stop.set()
        self._source.stop()

    def _again(self, heard: int, lost: DamagedInputError | None) -> bool:
        """Connect anew; False where it ended. Raises ``DamagedInputError`` when it was lost for good."""
        logger.warning("%s was lost after %.1f s; trying again", self.name, seconds(heard))
        until = self._clock.now() + _GIVE_UP_S
        while not self._stop.wait_until(self._clock, self._clock.now() + _AGAIN_S):
            try:
                source = self._connect(self._given)
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
            if source.duration_s is None:
                return True
            source.stop()  # a playlist that was closed says how long it is
            return False
        return False


class _Beginning:
    """The first seconds of a connection: a server that gives the same ones again gives a file again.

    Against ``known``, those of the connection before, chunks are held back until they differ or are enough.
    """

    def __init__(self, known: bytes | None) -> None:
        self._known = known
        self._hash = hashlib.sha256()
        self._heard = 0
        self._sounds = False
        self._held: list[AudioChunk] = []
        self.digest: bytes | None = None
        """Of what came in ``_ALIKE_S``, once there was sound in it."""

    @property
    def again(self) -> bool:
        """Whether it begins as the one before."""
        return self.digest is not None and self.digest == self._known

    def add(self, chunk: AudioChunk) -> list[AudioChunk]:
        """Take the next chunk; those that may go on."""
        if self.digest is None:
            self._hash.update(chunk.samples.tobytes())
            self._heard += len(chunk.samples)
            self._sounds = self._sounds or bool(np.any(chunk.samples))
            if self._sounds and seconds(self._heard) >= _ALIKE_S:
                self.digest = self._hash.digest()
        self._held.append(chunk)
        if self._known is not None and (self.digest is None or self.again):
            return []
        return self.rest()

    def rest(self) -> list[AudioChunk]:
        """What was held back."""
        held, self._held = self._held, []
        return held
