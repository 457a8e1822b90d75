"""The sound of one session on its way to its stream: in order, none twice, not faster than it can be heard.

::

    frames ─▶ PacketSound ─▶ backlog ─▶ stream
              16 kHz         what came sooner than it could be spoken, or than there is room, waits here

After a lost connection a client sends at once what it kept. Where an utterance ends also depends on what is
recognized while it is spoken, so the stream hears it a little faster than it was spoken, not in one gulp.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

from decalage.app.server.protocol import ProtocolError
from decalage.audio import SAMPLE_RATE, AudioChunk, Samples, sample_count, seconds
from decalage.clock import Clock
from decalage.errors import ClosedError, InputError
from decalage.events import Event
from decalage.runtimes.stream import RuntimeStream
from decalage.sources.packets import Encoding, PacketSound

CATCH_UP = 1.5
"""Seconds of sound that are heard in a second, where some wait."""
_AT_ONCE_S = 1.0
"""What may come at once without waiting: a connection stutters."""
_ROOM_S = 30.0
"""Sound that may wait in the stream, which drops beyond twice that."""


class Recorder(Protocol):
    """Keeps what one session hears and answers; never waits and never raises."""

    def sound(self, chunk: AudioChunk) -> None:
        """What came next; before it sound may be missing."""
        ...

    def event(self, seq: int, event: Event) -> None:
        """What was answered, with its number."""
        ...

    def close(self) -> None:
        """The session is over, and all of it was answered."""
        ...

    def leave(self) -> None:
        """Nothing more is kept, and not all was answered. Idempotent."""
        ...


class _Flush:
    """Stands in the backlog where the client said so."""


class SessionSound:
    """Pure but for its stream, which never waits; for one thread."""

    def __init__(
        self, stream: RuntimeStream, clock: Clock, *, ahead_s: float, recorder: Recorder | None = None
    ) -> None:
        self._stream = stream
        self._recorder = recorder  # has at once what the stream hears when it is its time
        self._clock = clock
        self._ahead_s = ahead_s
        self._packets: PacketSound | None = None
        self._base_s = 0.0  # received before the packets' first
        self._next = 0  # number of the next sample at 16 kHz
        self._backlog: deque[AudioChunk | _Flush] = deque()  # at most ``ahead_s`` of sound
        self._backlog_samples = 0
        self._credit_s = _AT_ONCE_S
        self._born = self._counted = clock.now()
        self._ending = self._hurried = False
        self.unheard = 0
        """Samples that came when the stream heard no more."""
        self._flushed = 0  # ``_next`` at the last flush

    @property
    def received_s(self) -> float:
        """Sound that is safe here, on the stream clock."""
        if self._packets is None:
            return self._base_s
        return self._base_s + self._packets.received / self._packets.rate

    @property
    def heard_s(self) -> float:
        """Where the backlog begins, on the stream clock: up to there the stream has it all."""
        return seconds(self._next - self._backlog_samples)

    @property
    def waiting_s(self) -> float:
        """Sound in the backlog."""
        return seconds(self._backlog_samples)

    def begin(self, encoding: Encoding, rate: int, from_s: float | None = None) -> float:
        """Frames of ``encoding`` at ``rate`` come next; the sound up to ``from_s`` never comes.

        What came in another encoding is closed first, and the new one begins at a whole sample. Returns
        how many seconds are missing.
        """
        received_s = self.received_s
        missing_s = max(0.0, (from_s or 0.0) - received_s)
        same = self._packets is not None and (self._packets.encoding, self._packets.rate) == (encoding, rate)
        if same and not missing_s:
            return 0.0
        self._close_packets()
        self._packets = PacketSound(encoding, rate)
        self._base_s = received_s + missing_s
        self._next = max(self._next, sample_count(self._base_s))
        return missing_s

    def add(self, frame: bytes) -> float:
        """Take ``frame``, and return its seconds. Raises ``ProtocolError``."""
        assert self._packets is not None  # noqa: S101 - ``begin`` comes first
        before = self.received_s
        early_s = before - (self._clock.now() - self._born)
        if early_s > self._ahead_s:
            raise ProtocolError("too-fast", f"{early_s:.0f} s of sound came sooner than it could be spoken")
        try:
            samples = self._packets.add(frame)
        except InputError as error:
            raise ProtocolError("bad-audio", str(error)) from error
        self._put(samples)
        return self.received_s - before

    def flush(self) -> None:
        """What came so far is one utterance; nothing happens where nothing came."""
        if not self._ending:
            self._close_packets()
        if self._flushed != self._next:
            self._flushed = self._next
            self._backlog.append(_Flush())
        self.due()

    def end(self, *, at_once: bool = False) -> None:
        """No more comes; the stream is finished when it has heard all. Idempotent.

        ``at_once``: as soon as it has room for it, rather than at its pace.
        """
        if not self._ending:
            self._close_packets()
        self._ending = True
        self._hurried = self._hurried or at_once
        self.due()

    def due(self) -> None:
        """Let the stream hear what it may by now: to be called some times a second while sound waits."""
        now = self._clock.now()
        self._credit_s += CATCH_UP * (now - self._counted)
        self._counted = now
        try:
            self._hand_over()
        except ClosedError:  # its segmenter failed: nobody hears the rest
            self.unheard += self._backlog_samples
            self._backlog.clear()
            self._backlog_samples = 0
            self._ending = True
        self._credit_s = min(self._credit_s, _AT_ONCE_S)
        if self._ending and not self._backlog:
            self._stream.finish()

    def _hand_over(self) -> None:
        while self._backlog:
            item = self._backlog[0]
            if isinstance(item, _Flush):
                self._stream.flush()
            elif self._may_hear(item):
                self._credit_s -= item.duration
                self._backlog_samples -= len(item.samples)
                self._stream.feed(item)
            else:
                return
            self._backlog.popleft()

    def _may_hear(self, chunk: AudioChunk) -> bool:
        """Whether it is time for ``chunk``; what waits too long goes where it is dropped and declared."""
        if self.waiting_s > self._ahead_s:
            return True
        has_room = self._stream.waiting_s + chunk.duration <= _ROOM_S
        return has_room and (self._hurried or chunk.duration <= self._credit_s)

    def _close_packets(self) -> None:
        """What the resampler holds comes now; the next frame begins at the very sample it is due at."""
        if self._packets is None:
            return
        due = sample_count(self.received_s)
        self._put(self._packets.finish()[: max(0, due - self._next)])
        self._put(np.zeros(max(0, due - self._next), np.float32))

    def _put(self, samples: Samples) -> None:
        if not len(samples):
            return
        if self._ending:
            self.unheard += len(samples)
            return
        for start in range(0, len(samples), SAMPLE_RATE // 2):
            piece = samples[start : start + SAMPLE_RATE // 2]
            chunk = AudioChunk(self._next, piece)
            self._backlog.append(chunk)
            if self._recorder is not None:
                self._recorder.sound(chunk)
            self._next += len(piece)
        self._backlog_samples += len(samples)
        self.due()
