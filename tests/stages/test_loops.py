"""Text of a decoder that has lost its way is told from people who repeat themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.stages.loops import compression_ratio, has_words, repeats, words

SPOKEN = (
    "",
    "No, no, no.",
    "No, no, no, no!",
    "Yeah, yeah, yeah. I know, I know.",
    "Very, very, very good.",
    "It was a long, long, long time ago.",
    "And so, my fellow Americans: ask not what your country can do for you, "
    "ask what you can do for your country.",
    "Row, row, row your boat, gently down the stream. "
    "Merrily, merrily, merrily, merrily, life is but a dream.",
    "Thank you. Thank you. Thank you.",
    "We shall fight on the beaches, we shall fight on the landing grounds, we shall fight in the fields "
    "and in the streets, we shall fight in the hills; we shall never surrender.",
    "Of the people, by the people, for the people.",
    "One two three, one two three, go.",
)

LOOPS = (
    "you you you you you",
    "Thank you. Thank you. Thank you. Thank you.",
    "I'm going to go. I'm going to go. I'm going to go.",
    "And then the rest of it was and then the rest of it was and then the rest of it was and then",
    "Legendas pela comunidade Amara.org. Legendas pela comunidade Amara.org. "
    "Legendas pela comunidade Amara.org.",
)

word = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)


@pytest.mark.parametrize("text", SPOKEN)
def test_people_repeating_themselves_are_believed(text: str) -> None:
    assert not repeats(text)


@pytest.mark.parametrize("text", LOOPS)
def test_loops_are_noticed(text: str) -> None:
    assert repeats(text)


@pytest.mark.parametrize(("size", "spoken"), [(1, 4), (2, 3), (3, 2), (12, 2)])
def test_a_loop_begins_one_run_after_what_people_say(size: int, spoken: int) -> None:
    run = [f"w{number}" for number in range(size)]
    assert not repeats(" ".join(run * spoken))
    assert repeats(" ".join(run * (spoken + 1)))


@given(st.lists(word, max_size=8), st.lists(word, min_size=1, max_size=12), st.lists(word, max_size=8))
def test_a_phrase_said_five_times_is_a_loop_wherever_it_stands(
    before: list[str], phrase: list[str], after: list[str]
) -> None:
    assert repeats(" ".join([*before, *phrase * 5, *after]))


@given(st.lists(word, max_size=60, unique=True))
def test_text_without_a_word_said_twice_is_no_loop(said: list[str]) -> None:
    assert not repeats(" ".join(said))


def test_case_and_punctuation_do_not_hide_a_loop() -> None:
    assert repeats("So it is. SO IT IS! so, it is?")


def test_words_keep_their_apostrophes_and_lose_everything_else() -> None:
    assert words("Don’t — it's 3 o'clock, João_Silva!") == ["don’t", "it's", "3", "o'clock", "joão", "silva"]


def test_short_texts_have_a_compression_ratio_of_one() -> None:
    assert compression_ratio("no " * 19) == 1.0


def test_a_loop_compresses_beyond_whispers_threshold_and_speech_does_not() -> None:
    assert compression_ratio("I'm sorry. " * 30) > 2.4
    assert all(compression_ratio(text) < 2.4 for text in SPOKEN)


@pytest.mark.parametrize("text", ["", " ", "...", "♪♪", "—", "🙂", "?!"])
def test_punctuation_and_symbols_are_no_words(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize("text", ["a", "7.", "«é»", "你好"])
def test_letters_and_digits_of_any_script_are_words(text: str) -> None:
    assert has_words(text)
