"""Text as subtitle cues: what fits, what follows what, and where it is cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from decalage.sinks.layout import RULES, Cue, Rules, both, cues
from decalage.speech import Word

SPEECH = (
    "Printing, in the only sense with which we are at present concerned, differs from most if not from all "
    "the arts and crafts represented in the Exhibition."
)
letters = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Mn", "Me", "Cf")), max_size=300
)
lengths = st.floats(0.2, 27)


def spoken(text: str, per_word: float = 0.4, start: float = 0.0) -> list[Word]:
    """Words evenly spoken one after the other."""
    return [
        Word(word, start + per_word * n, start + per_word * (n + 1)) for n, word in enumerate(text.split())
    ]


def assert_laid_out(found: list[Cue], start: float, end: float) -> None:
    for cue in found:
        assert 1 <= len(cue.lines) <= RULES.lines
        assert all(0 < cell_len(line) <= RULES.columns for line in cue.lines), cue
        assert start - 1e-6 <= cue.start <= cue.end <= end + 1e-6
        assert cue.end - cue.start <= RULES.most_s + 1e-6
    for before, after in pairwise(found):
        assert before.end <= after.start + 1e-6


@given(letters, lengths)
def test_any_text_fits_its_lines_and_times_and_is_whole(text: str, length: float) -> None:
    found = cues(text, 3.0, 3.0 + length)
    assert_laid_out(found, 3.0, 3.0 + length)
    said = "".join("".join(line.split()) for cue in found for line in cue.lines)
    assert said == "".join(text.split())


@given(st.lists(st.sampled_from(SPEECH.split()), max_size=60), st.floats(0.05, 1.0))
def test_with_the_times_of_words_too(words: list[str], per_word: float) -> None:
    text = " ".join(words)
    end = per_word * len(words) + 0.2
    assert_laid_out(cues(text, 0.0, end, spoken(text, per_word)), 0.0, end)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), lengths, st.integers(0, 30))
def test_letters_without_width_are_kept_in_their_places_too(text: str, length: float, words: int) -> None:
    found = cues(text, 3.0, 3.0 + length, spoken(text, length / max(1, len(text.split())), 3.0)[:words])
    said = "".join("".join(line.split()) for cue in found for line in cue.lines)
    assert said == "".join(text.split())
    assert all(cell_len(line) <= RULES.columns for cue in found for line in cue.lines)
    times = [time for cue in found for time in (cue.start, cue.end)]
    assert times == sorted(times)
    assert all(3.0 - 1e-6 <= time <= 3.0 + length + 1e-6 for time in times)


@given(letters, lengths, st.sampled_from([RULES, replace(RULES, columns=32), replace(RULES, lines=1)]))
def test_a_cue_stays_as_long_as_it_takes_to_read_wherever_the_next_leaves_the_time(
    text: str, length: float, rules: Rules
) -> None:
    found = cues(text, 0.0, length, rules=rules)
    for cue, after in pairwise([*found, None]):
        assert cue is not None
        columns = sum(map(cell_len, cue.lines)) + (len(cue.lines) - 1)
        reading_s = min(max(rules.least_s, (columns - 1) / rules.columns_per_s), rules.most_s)
        room_s = (length if after is None else after.start - rules.gap_s) - cue.start
        assert cue.end - cue.start >= min(reading_s, room_s) - 1e-6
        assert len(cue.lines) <= rules.lines


@given(letters.filter(str.strip), letters, lengths)
def test_both_texts_are_whole_and_each_stands_on_lines_of_its_own(
    source: str, target: str, length: float
) -> None:
    found = both(source, target, 0.0, length)
    lines = [line for cue in found for line in cue.lines]
    assert all(cell_len(line) <= RULES.columns for line in lines)
    assert "".join("".join(cue.lines[0].split()) for cue in found) == "".join(source.split())
    below = "".join("".join(line.split()) for cue in found for line in cue.lines[1:])
    assert below == "".join(target.split())


def test_a_cue_begins_with_its_first_word() -> None:
    words = spoken(SPEECH)
    found = cues(SPEECH, 0.0, words[-1].end + 0.2, words)
    starts = {word.start for word in words}
    assert len(found) > 1
    for cue in found:
        assert min(abs(cue.start - start) for start in starts) < 1e-6
        first = cue.lines[0].split()[0]
        assert any(word.text == first and abs(word.start - cue.start) < 1e-6 for word in words)


def test_cues_end_where_a_sentence_or_a_clause_does() -> None:
    text = "I came here yesterday, and I saw the house. It was old. Nobody had lived in it for years."
    found = cues(text, 0.0, 9.0, spoken(text))
    assert [" ".join(cue.lines)[-1] for cue in found] == ["."] * len(found)


def test_a_line_does_not_end_with_an_article() -> None:
    for cue in cues(SPEECH, 0.0, 11.0, spoken(SPEECH)):
        assert all(line.split()[-1].lower() not in ("the", "a", "of") for line in cue.lines)


def test_two_lines_are_of_like_length() -> None:
    (cue,) = cues("differs from most if not from all the arts and crafts", 0.0, 5.0)
    above, below = map(len, cue.lines)
    assert abs(above - below) < 12


def test_a_short_word_stays_long_enough_to_be_read_if_there_is_room() -> None:
    (cue,) = cues("Yes.", 0.0, 2.0, [Word("Yes.", 0.0, 0.2)])
    assert cue.end - cue.start == pytest.approx(RULES.least_s)
    (cue,) = cues("Yes.", 0.0, 0.4, [Word("Yes.", 0.0, 0.2)])
    assert cue.end == 0.4, "the next utterance may begin there"


def test_wide_letters_take_two_columns_and_no_line_begins_with_a_mark() -> None:
    text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
    text += "何でも薄暗いじめじめした所で泣いていた。"
    found = cues(text, 0.0, 12.0)
    assert_laid_out(found, 0.0, 12.0)
    assert "".join(line for cue in found for line in cue.lines) == text
    assert not any(line.startswith(("。", "、")) for cue in found for line in cue.lines)


def test_a_word_longer_than_a_line_is_cut() -> None:
    address = "https://example.org/" + "a" * 60
    found = cues(address, 0.0, 6.0)
    assert_laid_out(found, 0.0, 6.0)
    assert "".join(line for cue in found for line in cue.lines) == address


@pytest.mark.parametrize("text", ["漢" * 1500, "漢" + "\u0301" * 1500, "あ" + "ー" * 500, "to be " * 750])
def test_a_text_however_long_is_laid_out_at_once(text: str) -> None:
    found = cues(text, 0.0, 300.0)  # by every pair of places in it this takes hours
    assert "".join("".join(line.split()) for cue in found for line in cue.lines) == "".join(text.split())
    assert all(cell_len(line) <= RULES.columns for cue in found for line in cue.lines)


def test_nothing_gives_no_cue() -> None:
    assert cues("  ", 0.0, 1.0) == []


def test_both_languages_stand_together_source_above() -> None:
    target = (
        "A impressão, no único sentido que nos interessa no momento, difere da maioria, senão de todas, as "
        "artes e ofícios representados na Exposição."
    )
    found = both(SPEECH, target, 0.0, 11.0, spoken(SPEECH))
    assert " ".join(cue.lines[0] for cue in found) == SPEECH
    assert " ".join(line for cue in found for line in cue.lines[1:]) == target
    for before, after in pairwise(found):
        assert before.end <= after.start + 1e-6
