"""Signs that a decoder has left the sound and is repeating itself: pure checks on text."""

from __future__ import annotations

import re
import zlib

_MIN_BYTES = 60
"""Shorter texts do not compress, whatever they say."""
_REPEATED_RUNS = 3
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _WORD.findall(text.lower())


def compression_ratio(text: str) -> float:
    """Bytes of UTF-8 over their deflated size, as in Whisper's ``transcribe.py``; 1 for short texts."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if len(data) >= _MIN_BYTES else 1.0


def repeats(text: str) -> bool:
    """Whether a run of words stands in a row: one word five times, two four times, 3 to 12 three times."""
    spoken = words(text)
    for size in range(1, 13):
        needed = _REPEATED_RUNS + (2 if size == 1 else 1 if size == 2 else 0)
        if any(_runs_from(spoken, at, size) >= needed for at in range(len(spoken) - size)):
            return True
    return False


def _runs_from(spoken: list[str], start: int, size: int) -> int:
    """How often the ``size`` words at ``start`` follow each other."""
    run, count = spoken[start : start + size], 0
    while spoken[start : start + size] == run and start + size <= len(spoken):
        count += 1
        start += size
    return count


def has_words(text: str) -> bool:
    """Whether anything but punctuation and symbols is in ``text``."""
    return any(character.isalnum() for character in text)
