"""Sentences that end at a pause too short to tell: the text that follows tells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from decalage.speech import Transcript
from decalage.stages.endings import ending
from decalage.stages.loops import words as plain

_WORDS_AFTER = 2
"""The last word of a hypothesis may be half a word."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    revision: int
    words: Sequence[str]
    frames: int


class Clauses:
    """The pauses of one utterance that speech went on after."""

    def __init__(self, soon: int) -> None:
        """``soon``: frames after a pause in which it can still be told."""
        self._soon = soon
        self.pauses: dict[int, int] = {}
        """Frames of the utterance up to each, by the revision given out there."""
        self._sentence: _Sentence | None = None  # up to the last pause, if it may be one

    def paused(self, revision: int, frames: int) -> None:
        """At a pause the first ``frames`` of the utterance were given out as ``revision``."""
        self.pauses[revision] = frames

    def heard(self, revision: int, transcript: Transcript, length: int) -> int | None:
        """Frames up to a pause that ends a sentence, now that the text of ``revision`` shows it.

        ``length``: frames of the utterance so far.

        It does where its text begins with the words of the pause, has a full stop after them too,
        and goes on with a capital letter. Whisper puts a full stop after whatever sound ends with,
        but seldom amid a sentence.
        """
        frames = self.pauses.get(revision)
        if frames is not None:
            if ending(transcript.text, transcript.language) == "finished":
                self._sentence = _Sentence(revision, transcript.text.split(), frames)
            return None
        sentence = self._sentence
        if sentence is None or revision < sentence.revision or length > sentence.frames + self._soon:
            return None
        return sentence.frames if _goes_on(sentence.words, transcript) else None


def _goes_on(sentence: Sequence[str], transcript: Transcript) -> bool:
    """Whether ``transcript`` is ``sentence`` and the beginning of another."""
    words, size = transcript.text.split(), len(sentence)
    if len(words) < size + _WORDS_AFTER:
        return False
    before = " ".join(words[:size])
    return (
        plain(before) == plain(" ".join(sentence))
        and ending(before, transcript.language) == "finished"
        and not words[size][:1].islower()
    )
