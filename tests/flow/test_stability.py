"""What of a growing text is shown and held."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.config import Stability
from decalage.flow.stability import GrowingText, Shown, continued

HYPOTHESES = ["it was", "it was the west of", "it was the best of times", "it was the best of times it"]


def shown(stability: Stability) -> list[str]:
    text = GrowingText(stability)
    return [text.grow(hypothesis).text for hypothesis in HYPOTHESES]


def test_fast_shows_each_hypothesis_whole() -> None:
    assert shown("fast") == HYPOTHESES


def test_balanced_shows_the_older_part_of_what_two_hypotheses_agree_on() -> None:
    assert shown("balanced") == ["", "it was", "it was", "it was"]
    text = GrowingText("balanced")
    text.grow("a b c d e f g h i j")
    assert text.grow("a b c x e f g h i j").text == "a b c"
    assert text.grow("a b c x e f g h i j").text == "a b c x"


def test_balanced_shows_the_first_word_that_two_hypotheses_agree_on() -> None:
    text = GrowingText("balanced")
    assert [text.grow(each).text for each in ("it was", "it is")] == ["", "it"]


def test_reading_shows_what_two_hypotheses_agree_on() -> None:
    assert shown("reading") == ["", "it was", "it was the", "it was the best of times"]


def test_the_held_prefix_is_counted_in_code_points_and_ends_at_a_word() -> None:
    text = GrowingText("fast")
    text.grow("não é 😀 bom")
    assert text.grow("não é 😀 mau") == Shown("não é 😀 mau", len("não é 😀"))


def test_a_held_word_stays_while_the_text_grows_and_the_settled_text_may_correct_it() -> None:
    text = GrowingText("fast")
    text.grow("I think that")
    text.grow("I think that it")
    assert text.grow("We think that it is so today").text == "I think that it is so today"
    assert text.settle("We think that it is so today.") == "We think that it is so today."


def test_reading_settles_with_the_words_it_has_shown() -> None:
    text = GrowingText("reading")
    text.grow("I think that")
    text.grow("I think that it")
    assert text.settle("We think that it is so.") == "I think that it is so."
    assert GrowingText("reading").settle("nothing was shown") == "nothing was shown"


@pytest.mark.parametrize(
    ("held", "words", "expected"),
    [
        ("a b", "a b c", "a b c"),
        ("a b", "a", "a b"),
        ("a b c", "x b c d", "a b c d"),
        ("life.", "life and death", "life. and death"),
        ("a b", "x y z", "a b z"),
        ("", "x", "x"),
        ("a b", "", "a b"),
    ],
)
def test_held_words_are_continued_where_the_new_text_says_the_same(
    held: str, words: str, expected: str
) -> None:
    assert continued(held.split(), words.split()) == expected.split()


texts = st.lists(st.sampled_from(["a", "b", "c", "d."]), max_size=8).map(" ".join)


@given(st.lists(texts, max_size=8), texts)
def test_reading_never_takes_back_a_word(hypotheses: list[str], final: str) -> None:
    text = GrowingText("reading")
    before: list[str] = []
    for hypothesis in hypotheses:
        words = text.grow(hypothesis).text.split()
        assert words[: len(before)] == before
        before = words
    if before:
        assert text.settle(final).split()[: len(before)] == before
    else:
        assert text.settle(final) == final


@given(st.sampled_from(get_args(Stability)), st.lists(texts, max_size=8))
def test_the_held_prefix_never_shrinks_nor_changes(stability: Stability, hypotheses: list[str]) -> None:
    text, before = GrowingText(stability), ""
    for hypothesis in hypotheses:
        now = text.grow(hypothesis)
        held = now.text[: now.stable]
        assert held.startswith(before)
        assert not held or now.text[now.stable :][:1] in ("", " ")
        before = held
