"""A count that finds each way in which samples can get lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from decalage.flow.conservation import Conservation


def whole() -> Conservation:
    """1 000 samples: a piece of 300, a hole of 500 that never came, a piece of 200."""
    books = Conservation()
    books.heard = 1000
    books.issue(0, 100, 300)
    books.issue(1, 400, 500, captured=False)
    books.issue(2, 950, 200)
    books.answer(0, 300)
    books.answer(1, 0)
    books.answer(2, 200)
    return books


def test_a_stream_that_adds_up_has_no_breach() -> None:
    books = whole()
    books.end()
    assert books.breach is None
    assert books.non_speech == 500


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda books: books.issue(3, 1149, 10), "begins at sample 1149"),
        (lambda books: books.issue(3, 1200, 501), "1001 samples were given out, 1000 came"),
        (lambda books: books.answer(0, 300), "answered and never given out"),
        (lambda books: (books.issue(3, 1200, 10), books.answer(3, 9)), "10 samples, its answer 9"),
        (
            lambda books: (books.issue(3, 1200, 10), books.end()),
            "1 utterances have no answer, the first is 3",
        ),
    ],
)
def test_what_does_not_add_up_is_told(wrong: Callable[[Conservation], object], told: str) -> None:
    books = whole()
    wrong(books)
    assert books.breach is not None
    assert told in books.breach


def test_the_first_breach_stays() -> None:
    books = whole()
    books.answer(7, 1)
    books.issue(3, 0, 10)
    assert books.breach is not None
    assert "utterance 7" in books.breach
