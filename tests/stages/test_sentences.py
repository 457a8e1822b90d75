"""Text is cut where sentences end, and no word is lost or moved on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.stages.sentences import MAX_WORDS, sentences

token = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["Mr.", "e.g.", "U.", "S.", "end.", "End!", "“Why?”", "so…", "—", "a,", "b;", "3.14"]),
)
text = st.builds(
    lambda tokens, gaps: "".join(a + b for a, b in zip(tokens, gaps, strict=False)),
    st.lists(token, max_size=150),
    st.lists(st.sampled_from([" ", "  ", "\n", "\u00a0", ""]), min_size=150, max_size=150),
)


@given(text)
def test_every_word_comes_out_once_and_in_order(given: str) -> None:
    assert " ".join(sentences(given)).split() == given.split()


@given(text)
def test_no_piece_is_empty_or_longer_than_the_limit(given: str) -> None:
    for piece in sentences(given):
        assert piece.strip() == piece
        assert 1 <= len(piece.split()) <= MAX_WORDS


@pytest.mark.parametrize(
    ("given", "cut"),
    [
        ("", []),
        (" \n ", []),
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("Wait... What?", ["Wait...", "What?"]),
        ("Wait... what?", ["Wait... what?"]),
        ('He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
        ("(It rained.) We left.", ["(It rained.)", "We left."]),
        ("¿Qué? ¡No! Sim.", ["¿Qué?", "¡No!", "Sim."]),
        ("It is he. — Who?", ["It is he.", "— Who?"]),
        ("That was I. He left.", ["That was I.", "He left."]),
        ("first line\nsecond line", ["first line\nsecond line"]),
    ],
)
def test_sentences_end_at_their_marks(given: str, cut: list[str]) -> None:
    assert sentences(given) == cut


@pytest.mark.parametrize(
    "whole",
    [
        "Mr. Smith met Dr. Jones.",
        "O Sr. Silva e a Dra. Costa chegaram.",
        "John F. Kennedy spoke.",
        "It costs 3.14 dollars.",
        "Use it, e.g. Monday.",
        "See www.example.org for more.",
        "He left at 5 p.m. and slept.",
        "St. Martin's fell silent.",
    ],
)
def test_a_full_stop_inside_a_sentence_ends_nothing(whole: str) -> None:
    assert sentences(whole) == [whole]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    clauses = [" ".join([f"w{number}"] * 25) + "," for number in range(4)]
    assert sentences(" ".join(clauses)) == [" ".join(clauses[:2]), " ".join(clauses[2:])]


def test_a_long_sentence_without_clauses_is_cut_at_the_limit() -> None:
    lengths = [len(piece.split()) for piece in sentences("word " * (2 * MAX_WORDS + 1))]
    assert lengths == [MAX_WORDS, MAX_WORDS, 1]


def test_a_sentence_at_the_limit_stays_whole() -> None:
    whole = " ".join(["word,"] * MAX_WORDS)
    assert sentences(whole) == [whole]
