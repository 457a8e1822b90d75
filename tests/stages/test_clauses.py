"""Which pause ends a sentence, by the text that follows it."""

from __future__ import annotations

import pytest

from decalage.speech import Transcript
from decalage.stages.clauses import Clauses


def after(pause: str, *texts: str, language: str = "en") -> list[int | None]:
    """What each of ``texts``, heard after a pause with the text ``pause``, tells."""
    clauses = Clauses(soon=10)
    clauses.paused(1, 40)
    assert clauses.heard(1, Transcript(pause, language), 40) is None
    return [clauses.heard(2 + n, Transcript(text, language), 50) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("pause", "text"),
    [
        ("It was the worst of times.", "It was the worst of times. It was"),
        ("It was the worst of times.", "it was, the worst of Times. It was the age"),
        ("Is it?", "Is it? “I think so"),
        ("É uma raposa velha.", "É uma raposa velha. Não consegue"),
    ],
)
def test_a_sentence_stands_where_its_full_stop_does_and_another_begins(pause: str, text: str) -> None:
    assert after(pause, text) == [40]


@pytest.mark.parametrize(
    "text",
    [
        "It was the worst of times, it was",
        "It was the worst of times it was",
        "It was the worst of times. it was",
        "It was the worst of times.",
        "It was the worst of times. It",
        "It was the first of times. It was",
        "It was the worst",
        "",
    ],
)
def test_any_other_text_tells_nothing(text: str) -> None:
    assert after("It was the worst of times.", text) == [None]


def test_what_is_open_at_the_pause_is_no_sentence() -> None:
    assert after("It was the worst of", "It was the worst of. It was the") == [None]


def test_the_text_of_a_revision_from_before_the_pause_tells_nothing() -> None:
    clauses = Clauses(soon=10)
    clauses.paused(3, 40)
    clauses.heard(3, Transcript("It was.", "en"), 40)
    assert clauses.heard(2, Transcript("It was. And so", "en"), 45) is None
    assert clauses.heard(4, Transcript("It was. And so", "en"), 45) == 40


def test_what_is_told_late_is_not_told() -> None:
    clauses = Clauses(soon=10)
    clauses.paused(1, 40)
    clauses.heard(1, Transcript("It was.", "en"), 40)
    assert clauses.heard(2, Transcript("It was. And so", "en"), 51) is None


def test_the_last_pause_counts() -> None:
    clauses = Clauses(soon=10)
    for revision, frames, text in ((1, 40, "One."), (3, 90, "One. Two.")):
        clauses.paused(revision, frames)
        clauses.heard(revision, Transcript(text, "en"), frames)
    assert clauses.heard(4, Transcript("One. Two. And then", "en"), 95) == 90


def test_a_pause_whose_text_never_came_is_none() -> None:
    clauses = Clauses(soon=10)
    clauses.paused(1, 40)
    assert clauses.heard(2, Transcript("It was. And so", "en"), 45) is None
