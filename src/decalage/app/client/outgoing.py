"""What was handed over to be sent and is not known to be safe at the server."""

from __future__ import annotations

from collections import deque
from typing import Literal, TypeAlias

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples, seconds

ROOM_S = 90.0
"""So much sound is kept for a server that may not have it."""
_BYTES = 2
"""Of a sample."""

Frame: TypeAlias = bytes | Literal["flush", "end"]
"""Sound, as PCM16 little-endian, or a message between sounds."""


class Outgoing:
    """Sound in order, kept until it is acknowledged, and sent again from wherever the server says.

    ::

                 held_from           sent next                    added
        ─ safe ──────┼─ may be lost ─────┼─ not sent ──┤ hole ├────┤

    Positions are numbers of samples since the session began. At most ``room_s`` seconds are held;
    ``trim`` forgets what is beyond. Nothing is sent across a hole: another connection declares it, when
    what lies before is safe. No input or output, no clock.
    """

    def __init__(self, room_s: float = ROOM_S) -> None:
        self.added = 0
        """Samples handed over, those that were forgotten and those of holes too."""
        self.held_from = 0
        """The first sample that can still be sent."""
        self.acknowledged = 0
        """What lies before is safe."""
        self.sent = 0
        """How far sound was ever sent."""
        self._room = round(room_s * SAMPLE_RATE)
        self._sound = bytearray()  # bounded by trim; a full one is not added to while there is a connection
        self._next = 0
        self._holes: deque[tuple[int, int]] = deque()  # with sound between any two, so bounded as the sound
        self._passed = 0  # samples of holes between ``acknowledged`` and ``held_from``
        self._flushes: deque[int] = deque()  # at most one a position, and positions are bounded as the sound
        self._flushed = 0
        self._ended = False
        self._end_sent = False

    def __repr__(self) -> str:
        state = " ended" if self._ended else ""
        return f"<Outgoing {seconds(self.added):.2f} s, held from {seconds(self.held_from):.2f} s{state}>"

    @property
    def ended(self) -> bool:
        """Whether no more is added."""
        return self._ended

    @property
    def full(self) -> bool:
        """Whether as much is held as may be."""
        return len(self._sound) >= _BYTES * self._room

    @property
    def lost_from(self) -> int | None:
        """Where sound begins that is neither here nor known to be safe; it ends at ``held_from``."""
        return self.acknowledged if self.held_from > self.acknowledged else None

    @property
    def lost(self) -> int:
        """Samples of it that were captured."""
        return self.held_from - self.acknowledged - self._passed

    @property
    def at_hole(self) -> bool:
        """Whether all before a hole has been sent."""
        return bool(self._holes) and self._next == self._holes[0][0]

    @property
    def safe(self) -> bool:
        """Whether the server has all that was sent."""
        return self.acknowledged >= self._next

    def add(self, samples: Samples) -> None:
        """The next samples, shape (n,)."""
        self._sound += pcm16(samples)
        self.added += len(samples)

    def skip(self, samples: int) -> None:
        """The next so many were not captured; sound is added after them."""
        self._holes.append((self.added, self.added + samples))
        self.added += samples

    def flush(self) -> None:
        """What was added so far is an utterance."""
        if not self._flushes or self._flushes[-1] != self.added:
            self._flushes.append(self.added)

    def end(self) -> None:
        """No more is added. Idempotent."""
        self._ended = True

    def take(self, most: int) -> Frame | None:
        """What is sent next, of sound at most ``most`` samples; None: nothing now."""
        whole = self._holes[0][0] if self._holes else self.added
        marked = len(self._flushes) > self._flushed and self._flushes[self._flushed] <= whole
        until = self._flushes[self._flushed] if marked else whole
        if self._next < until:
            count = min(most, until - self._next)
            begin = _BYTES * (self._next - self.held_from)
            self._next += count
            self.sent = max(self.sent, self._next)
            return bytes(self._sound[begin : begin + _BYTES * count])
        if marked:
            self._flushed += 1
            return "flush"
        if self._ended and not self._holes and not self._end_sent:
            self._end_sent = True
            return "end"
        return None

    def acknowledge(self, received: int) -> None:
        """What lies before sample ``received`` is safe: it is forgotten here."""
        inside = bool(self._holes) and self._holes[0][0] < received < self._holes[0][1]
        received = self._holes[0][0] if inside else min(received, self.added)
        self.acknowledged = max(self.acknowledged, received)
        self._forget(self.acknowledged)
        self._passed = max(0, min(self._passed, self.held_from - self.acknowledged))

    def resume(self, received: int) -> bool:
        """Go on from sample ``received``, after another connection. False: that is not here any more.

        A flush at that place is sent again: twice is no harm where nothing is open.
        """
        if received < self.held_from:
            self.acknowledged = received
            return False
        self.acknowledge(received)
        self._next = max(self.held_from, min(received, self.added))
        self._flushed = 0
        self._end_sent = False
        return True

    def trim(self) -> int:
        """Forget the oldest sound beyond the room, and a hole that nothing held lies before.

        How many samples of sound. For while there is no connection.
        """
        beyond = dropped = max(0, len(self._sound) // _BYTES - self._room)
        while self._holes and self.held_from + beyond >= self._holes[0][0]:
            begin, end = self._holes[0]
            beyond -= begin - self.held_from
            self._forget(end)
            self._passed += end - begin
        self._forget(self.held_from + beyond)
        return dropped

    def _forget(self, until: int) -> None:
        if until <= self.held_from:
            return
        held = until - self.held_from
        while self._holes and self._holes[0][1] <= until:
            begin, end = self._holes.popleft()
            held -= end - begin
        del self._sound[: _BYTES * held]
        self.held_from = until
        self._next = max(self._next, until)
        while self._flushes and self._flushes[0] < until:
            self._flushes.popleft()
            self._flushed = max(0, self._flushed - 1)


def pcm16(samples: Samples) -> bytes:
    """As signed 16-bit little-endian; what is no number is silence, what is too loud is clipped."""
    scaled = np.nan_to_num(np.asarray(samples, np.float32), nan=0.0, posinf=1.0, neginf=-1.0) * 32_768.0
    return bytes(np.clip(np.rint(scaled), -32_768, 32_767).astype("<i2").data)
