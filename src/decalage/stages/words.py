"""Tokens of a text as words with their times. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unicodedata import east_asian_width

from decalage.speech import Utterance, Word


def timed_words(
    pieces: Sequence[str], tokens: Sequence[Sequence[int]], starts: Sequence[float], utterance: Utterance
) -> tuple[Word, ...]:
    """``pieces`` of the text, each with its ``tokens``, as words on the stream clock.

    ``starts``: seconds into ``utterance`` at which each token began and the last one ended. A piece
    without a space before it belongs to the word before, unless its script has no spaces.
    """
    found: list[Word] = []
    first = 0
    for piece, own in zip(pieces, tokens, strict=True):
        begun, ended = (
            utterance.start + min(starts[at], utterance.duration) for at in (first, first + len(own))
        )
        first += len(own)
        if found and not piece[:1].isspace() and not _is_word_alone(piece):
            found[-1] = replace(found[-1], text=found[-1].text + piece.strip(), end=ended)
        elif piece.strip():
            found.append(Word(piece.strip(), begun, ended))
    return tuple(found)


def _is_word_alone(piece: str) -> bool:
    """Whether a piece without a space before it is a word all the same."""
    return any(letter.isalnum() and is_wide(letter) for letter in piece)


def is_wide(letter: str) -> bool:
    """Whether ``letter`` is of a script that is set in squares, without spaces between words."""
    return east_asian_width(letter) in "WF"
