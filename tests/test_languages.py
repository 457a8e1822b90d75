"""The table of language codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.errors import DecalageError, UsageError
from decalage.languages import LANGUAGES, primary
from decalage.store.models import find_recognizer, recognizer_languages
from scripts.language_table import DOCUMENT, table

Require = Callable[[bool, str, str], None]


@pytest.mark.real
def test_every_language_that_whisper_hears_is_there(require: Require) -> None:
    try:
        folder = find_recognizer("base", offline=True)
    except DecalageError as error:
        require(False, "model base", str(error))
        raise
    assert set(LANGUAGES) - set(recognizer_languages(folder)) == {"yue"}  # which only large-v3 hears
    assert set(recognizer_languages(folder)) <= set(LANGUAGES)


def test_codes_are_well_formed_and_each_stands_for_one_language() -> None:
    for field in ("iso", "nllb", "name"):
        told = [getattr(each, field) for each in LANGUAGES.values() if getattr(each, field) is not None]
        assert len(told) == len(set(told)), field
    for each in LANGUAGES.values():
        assert len(each.iso) == 3
        assert each.nllb is None or (len(each.nllb) == 8 and each.nllb[3] == "_")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("pt-BR", "pt"),
        ("por", "pt"),
        ("GER", "de"),
        ("deu", "de"),
        ("zh_Hant", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("nb-NO", "no"),
        ("arb", "ar"),
        ("fil", "tl"),
        ("yue", "yue"),
        ("tlh", "tlh"),
    ],
)
def test_other_codes_of_a_language_are_understood(given: str, code: str) -> None:
    assert primary(given) == code


@given(st.text(max_size=12))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = primary(text)
    except UsageError:
        return
    assert primary(code) == code


def test_the_document_has_the_table() -> None:
    assert table() in Path(DOCUMENT).read_text("utf-8")
