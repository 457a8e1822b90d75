"""A text translated sentence by sentence, which small models are trained on."""

from __future__ import annotations

from collections.abc import Callable

from decalage.errors import EngineError, one_line
from decalage.stages.loops import has_words
from decalage.stages.sentences import sentences


def by_sentence(text: str, translate: Callable[[str], str]) -> str:
    """Each sentence by itself, joined by spaces; what has no words passes unchanged.

    Raises ``EngineError`` when ``translate`` fails or gives nothing back.
    """
    return " ".join(_sentence(sentence, translate) for sentence in sentences(text))


def _sentence(sentence: str, translate: Callable[[str], str]) -> str:
    if not has_words(sentence):
        return sentence
    try:
        translated = str(translate(sentence)).strip()
    except Exception as error:  # native engines' errors share no root
        raise EngineError(f"the translator failed: {one_line(error)}") from error
    if not translated:
        raise EngineError(f"the translator gave nothing for {sentence[:40]!r}")
    return translated
