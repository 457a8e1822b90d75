"""The file of terms, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage import Settings
from decalage.app.settings import unheard_terms
from decalage.app.terms import read_terms
from decalage.config import Term
from decalage.errors import InputError, UsageError
from tests.properties import raised


def terms(tmp_path: Path, text: str) -> tuple[Term, ...]:
    (tmp_path / "terms.txt").write_text(text, "utf-8")
    return read_terms(tmp_path / "terms.txt")


def test_names_translations_and_languages_are_read(tmp_path: Path) -> None:
    kept, everywhere, by_language = terms(
        tmp_path, "# names\n\nDashwood\nfloor = plenário # of a house\nLondon = pt-BR: Londres; fr: Londres\n"
    )
    assert (kept.into("pt"), everywhere.into("pt"), everywhere.into("es")) == (
        "Dashwood",
        "plenário",
        "plenário",
    )
    assert [by_language.into(language) for language in ("pt", "fr", "es")] == ["Londres", "Londres", "London"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("= Londres", "no term before '='"),
        ("London =", "no translation after '='"),
        ("London = pt: ", "is not a language and a translation"),
        ("London = pt: Londres; Londres", "is not a language and a translation"),
        ("London = pt: Londres; portuguese: Londres", "is not a language and a translation"),
        ("Fine", "stands there twice"),
        ("--", "no term"),
    ],
)
def test_a_line_that_is_no_term_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(UsageError, match=rf"terms\.txt, line 2: .*{words}"):
        terms(tmp_path, f"fine\n{line}\n")


def test_marks_in_names_and_translations_stay(tmp_path: Path) -> None:
    sharp, colon = terms(tmp_path, "\ufeffC# = C sharp # the language\nAI = IA: geral\n")
    assert (sharp.text, sharp.into("pt")) == ("C#", "C sharp")
    assert colon.into("pt") == "IA: geral"


def test_a_translation_may_look_like_the_code_of_a_language(tmp_path: Path) -> None:
    (term,) = terms(tmp_path, "yes = si")
    assert term.into("es") == "si"


WORDS = (
    st.text(st.sampled_from("abçÉ漢 -'C#"), min_size=1, max_size=9)
    .map(str.strip)
    .filter(lambda word: any(map(str.isalnum, word)) and " #" not in word and word[0] != "#")
)


@given(
    st.dictionaries(
        WORDS,
        st.none() | WORDS | st.dictionaries(st.sampled_from(["pt", "fr", "es"]), WORDS, min_size=1),
        max_size=5,
    )
)
def test_what_is_written_in_a_file_of_terms_is_read(into: dict[str, str | dict[str, str] | None]) -> None:
    told = {name: value for name, value in into.items() if name.casefold() == name}
    lines = [
        f"{name} = {'; '.join(map(': '.join, value.items()))}"
        if isinstance(value, dict)
        else name + (f" = {value}" if value else "")
        for name, value in told.items()
    ]
    with TemporaryDirectory() as folder:
        found = terms(Path(folder), "\n".join(lines))
    assert [term.text for term in found] == list(told)
    for term, value in zip(found, told.values(), strict=True):
        by_language = value if isinstance(value, dict) else {}
        plain = value if isinstance(value, str) else term.text
        assert {code: term.into(code) for code in ("pt", "fr", "es")} == {
            code: by_language.get(code, plain) for code in ("pt", "fr", "es")
        }


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_file_is_terms_or_one_line_of_what_is_wrong(content: str | bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "terms.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        error = raised(UsageError, lambda: read_terms(path))
        assert error is None or len(str(error).splitlines()) == 1


def test_more_names_than_the_recognizer_keeps_in_mind_are_told() -> None:
    few = tuple(Term(f"Name{number}") for number in range(20))
    many = tuple(Term(f"Very Long Name {number}") for number in range(60))
    assert unheard_terms(Settings(terms=few)) is None
    assert "the first 24 of 60 terms" in str(unheard_terms(Settings(terms=many)))
    prompt = Settings(terms=many).stream_options().recognizer.prompt
    assert prompt is not None
    assert len(prompt) < 500


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_terms(tmp_path / "none.txt")


def test_the_recognizer_expects_the_terms_before_what_it_was_told() -> None:
    settings = Settings(terms=(Term("Dashwood"), Term("Polly")), prompt="A novel.")
    assert settings.stream_options().recognizer.prompt == "Glossary: Dashwood, Polly. A novel."
    assert Settings().stream_options().recognizer.prompt is None
