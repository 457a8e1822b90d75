"""What of a caption is shown, for every sink that shows text."""

from __future__ import annotations

import unicodedata
from typing import Literal, TypeAlias

from decalage.events import Caption, Partial

Show: TypeAlias = Literal["source", "target", "both"]

_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the text after them around."""


def shown(event: Caption | Partial, show: Show) -> list[tuple[str, str]]:
    """(language, text) in the order of reading: the source, then each target.

    With ``target`` a caption whose speech is in the target language shows that.
    """
    languages = list(event.text)
    targets = [language for language in languages if language != event.source]
    if show == "source" or not targets:
        chosen = [event.source] if event.source in event.text else []
    elif show == "target":
        chosen = targets
    else:
        chosen = languages
    return [(language, clean(event.text[language])) for language in chosen]


def clean(text: str) -> str:
    """One line without control characters, which a terminal would obey, nor overrides of direction."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in _OVERRIDES else c for c in text)
    return " ".join("".join(kept).split())


def clock(seconds: float) -> str:
    """``mm:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"
