"""The language of a stream that nobody named: locked once sure, left only on sustained evidence. Pure."""

from __future__ import annotations

_LOCK_S = 2.0
"""Speech times probability that locks a language."""
_LEAVE_S = 3.0
"""The same that leaves it, with nothing for it in between."""
_WORTH = 0.6
"""Detections less probable than this say nothing."""


class LanguageLock:
    """One stream's language. Not safe for threads: its stream guards it."""

    def __init__(self) -> None:
        self.language: str | None = None
        """None until enough was heard to be sure."""
        self._evidence: dict[str, float] = {}  # by language, since the last lock or contradiction

    def __repr__(self) -> str:
        return f"<LanguageLock {self.language} {self._evidence}>"

    def heard(self, language: str, probability: float, duration_s: float) -> None:
        """An utterance of ``duration_s`` sounded like ``language``."""
        if probability < _WORTH:
            return
        if language == self.language:
            self._evidence.clear()
            return
        self._evidence[language] = self._evidence.get(language, 0.0) + probability * duration_s
        if self._evidence[language] >= (_LOCK_S if self.language is None else _LEAVE_S):
            self.language = language
            self._evidence.clear()
