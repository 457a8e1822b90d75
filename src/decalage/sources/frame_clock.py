"""Sound that is missing between two decoded frames, by the times that their container gives them."""

from __future__ import annotations

_STAMPED = ("matroska", "mov", "ogg", "flv", "asf")
"""Containers that say of each piece of sound when it is heard, by one clock."""
_SPLICED, _SPLICE_S = "mpegts", 10.0
"""One whose clock may begin anew in the middle, as FFmpeg takes a leap of so much in it."""
_LEAP_S = 0.5
"""A clock that leaps so far has lost sound; less is how unevenly frames are stamped."""
_LONGEST_S = 3600.0
"""Farther, a clock has begun a new count, unless the file says that it is longer."""
_BACK_S = 5.0
"""As it has where it is so far behind the frame before."""


class FrameClock:
    """Asked of each frame in turn; the first is due when it comes."""

    def __init__(self, *, sums: bool, longest_s: float = _LONGEST_S) -> None:
        """``longest_s``: a leap beyond it is none.

        ``sums``: whether what is missing adds up to a leap, as where frames of silence are left out one by
        one, and what came too early is subtracted, as where many frames are stamped with one time. Not of a
        sender whose clock and whose sound run at different speeds.
        """
        self._sums = sums
        self._longest_s = longest_s
        self._due_s: float | None = None
        self._last_s = 0.0
        self.began_s = 0.0
        """When the first frame was due."""
        self.counts_anew = False
        """Whether its times do not belong together."""

    def missing_s(self, at_s: float | None, length_s: float) -> float:
        """Seconds missing before the frame at ``at_s``, of ``length_s``; 0 without a leap, or a time."""
        missing_s = 0.0
        if at_s is not None:
            missing_s = self._leap(at_s)
            self._last_s = at_s
        if self._due_s is not None:
            self._due_s += length_s
        return missing_s

    def _leap(self, at_s: float) -> float:
        if self._due_s is None:
            self._due_s = self.began_s = at_s
            return 0.0
        missing_s = at_s - self._due_s
        if missing_s > self._longest_s or at_s < self._last_s - _BACK_S:
            self._due_s, self.counts_anew = at_s, True
            return 0.0
        if missing_s > _LEAP_S or not self._sums:
            self._due_s = at_s
        return missing_s if missing_s > _LEAP_S else 0.0


def find_clock(container: str, duration_s: float | None, *, live: bool) -> FrameClock | None:
    """For a ``container`` as FFmpeg calls it; None: its times only count what is there.

    ``duration_s``: what it says, if it does. ``live``: it comes from the network.
    """
    if live:
        return FrameClock(sums=False)
    if container == _SPLICED:
        return FrameClock(sums=True, longest_s=_SPLICE_S)
    if container in _STAMPED:
        return FrameClock(sums=True, longest_s=max(_LONGEST_S, duration_s or 0))
    return None
