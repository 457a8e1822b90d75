"""How a text ends: a sentence that is over, or one that goes on. Pure rules on its last word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from decalage.speech import Ending

_CLOSERS = "\"'”’»)] "
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_GOES_ON: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        language: frozenset(words.split())
        for language, words in {
            "en": "and or but nor because if unless until although though while whereas the a an of my your "
            "our their its whose than into onto upon between every",
            "pt": "e ou mas nem porque pois se embora enquanto o a os as um uma uns umas de do da dos das em "
            "no na nos nas num numa pelo pela pelos pelas para pra com sem cujo cuja cujos cujas",
        }.items()
    }
)
"""Words that no sentence ends with, as a rule: a recognizer that puts a full stop after one guesses."""


def ending(text: str, language: str) -> Ending:
    """Judged by the last word and the mark after it; ``unclear`` for a text without words."""
    bare = text.rstrip(_CLOSERS)
    words = _WORD.findall(bare.lower())
    if not words:
        return "unclear"
    if bare.endswith("?"):
        return "finished"
    if words[-1] in _GOES_ON.get(language, frozenset()):
        return "open"
    return "finished" if bare.endswith((".", "!", "。", "！")) and not bare.endswith("..") else "open"
