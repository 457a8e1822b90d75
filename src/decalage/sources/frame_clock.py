"""Sound that is missing between two decoded frames, by the times that their container gives them."""

from __future__ import annotations

HOLE_S = (0.5, 3600.0)
"""A clock that leaps so far has lost sound; farther, it has begun a new count."""


class FrameClock:
    """Asked of each frame in turn."""

    def __init__(self, begins_s: float | None, *, sums: bool) -> None:
        """``begins_s``: when the first frame is due; None: whenever it comes.

        ``sums``: whether what is missing adds up to a leap too, as where frames of silence are left out
        one by one. Not of a sender whose clock and whose sound run at different speeds.
        """
        self._due_s = begins_s
        self._sums = sums

    def missing_s(self, at_s: float, length_s: float) -> float:
        """Seconds that are missing before the frame at ``at_s``, of ``length_s``; 0 without a leap."""
        missing_s = 0.0 if self._due_s is None else at_s - self._due_s
        if self._due_s is None or not self._sums or abs(missing_s) > HOLE_S[0]:
            self._due_s = at_s
        self._due_s += length_s
        return missing_s if HOLE_S[0] < missing_s < HOLE_S[1] else 0.0
