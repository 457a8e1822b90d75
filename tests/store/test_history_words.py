"""What is typed becomes a question that can be asked, and what is found is where it stands in the text."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.errors import UsageError
from decalage.store.history_words import CLOSES, OPENS, TOKENIZER, indexed, query, spans, storable

ANY = st.text(st.characters(exclude_categories=()))
"""Lone surrogates too, as a command line or a damaged file may have them."""
KNOWN = st.text(
    st.characters().filter(lambda letter: unicodedata.ucd_3_2_0.category(letter) not in ("Cn", "Co"))
)
"""Letters that every version of SQLite takes for what Python takes them."""


class Index:
    """Texts in FTS5, as the history has them."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute(f'CREATE VIRTUAL TABLE words USING fts5(text, tokenize = "{TOKENIZER}")')

    def hold(self, *texts: str) -> None:
        self._database.execute("DELETE FROM words")
        self._database.executemany("INSERT INTO words VALUES (?)", [(indexed(text),) for text in texts])

    def found(self, asked: str) -> list[str]:
        """The marked texts, in the order in which they were given."""
        select = "SELECT highlight(words, 0, ?, ?) FROM words WHERE words MATCH ? ORDER BY rowid"
        return [marked for (marked,) in self._database.execute(select, (OPENS, CLOSES, asked))]

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


def found(index: Index, text: str, *words: str) -> list[str]:
    """What of ``text`` is marked when ``words`` are looked for."""
    index.hold(text)
    return [text[first:past] for marked in index.found(query(words)) for first, past in spans(marked)]


@settings(max_examples=500)
@given(words=st.lists(ANY, max_size=5), text=ANY)
def test_any_words_can_be_asked_for_in_any_text(index: Index, words: list[str], text: str) -> None:
    index.hold(text)
    try:
        asked = query(words)
    except UsageError:
        assert not any(letter.isalnum() for letter in "".join(words))
        return
    for marked in index.found(asked):
        for first, past in spans(marked):
            assert 0 <= first < past <= len(text)


@pytest.mark.parametrize(
    "typed",
    [
        '"',
        'a"b',
        "text:a",
        "a AND",
        "NOT a",
        "NEAR(a b)",
        "a + b",
        "(a",
        "^a",
        "-a",
        "{a}",
        "a\x00b",
        "'",
        "a*b",
    ],
)
def test_the_syntax_of_the_index_means_nothing(index: Index, typed: str) -> None:
    index.hold("a b and near not text")
    if any(letter.isalnum() for letter in typed):
        index.found(query([typed]))
    else:
        with pytest.raises(UsageError, match="no word"):
            query([typed])


@settings(max_examples=500)
@given(text=KNOWN)
def test_every_word_of_a_text_finds_it(index: Index, text: str) -> None:
    index.hold(text)
    for word in text.split():
        if any(letter.isalnum() for letter in word):
            assert len(index.found(query([word]))) == 1


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("O país é grande.", ["pais"], ["país"]),
        ("O pais e grande.", ["PAÍS", "é"], ["pais", "e"]),
        ("O pai\u0301s.", ["pais"], ["pai\u0301s"]),
        ("It was the best of times.", ["best of"], ["best", "of"]),
        ("It was the best of times.", ["best", "worst"], []),
        ("Translators translate.", ["transl*"], ["Translators", "translate"]),
        ("Translators translate.", ["transl"], []),
        ("Don't stop.", ["don't"], ["Don't"]),
        ("Don't stop.", ["stop", "!!"], ["stop"]),
        ("a state-of-the-art thing", ["state-of-the-art"], ["state-of-the-art"]),
        ("你好世界。", ["世界"], ["世界"]),
        ("东京タワーへ行く", ["タワー"], ["タワー"]),
        ("ABC你好", ["abc"], ["ABC"]),
        ("สวัสดีชาวโลก", ["ชาวโลก"], ["ชาวโลก"]),
    ],
)
def test_what_is_found(index: Index, text: str, words: list[str], marked: list[str]) -> None:
    assert found(index, text, *words) == marked


@pytest.mark.parametrize("typed", [[], [""], ["  "], ["*"], ["!", "…"], ['""']])
def test_without_a_word_there_is_nothing_to_ask(typed: list[str]) -> None:
    with pytest.raises(UsageError, match="history search"):
        query(typed)


@given(text=ANY)
def test_what_is_indexed_has_a_letter_for_a_letter(text: str) -> None:
    between = indexed(text).replace("\u200b", "")
    assert len(between) == len(text)
    assert spans(f"{OPENS}{indexed(text)}{CLOSES}") == ((0, len(text)),)
    storable(text).encode()
