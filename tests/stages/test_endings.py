"""Whether a text is a sentence that is over."""

from __future__ import annotations

import pytest

from decalage.stages.endings import ending


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("It was the best of times.", "en", "finished"),
        ('He said: "No!"', "en", "finished"),
        ("What is that", "en", "open"),
        ("What was that for?", "en", "finished"),
        ("It was the best and.", "en", "open"),
        ("It was the", "en", "open"),
        ("It was, it was,", "en", "open"),
        ("And so it goes...", "en", "open"),
        ("Foi o melhor dos tempos.", "pt", "finished"),
        ("Foi o melhor dos tempos e", "pt", "open"),
        ("Foi para.", "pt", "open"),
        ("Es war der.", "de", "finished"),
        ("...", "en", "unclear"),
        ("", "en", "unclear"),
        ("1984.", "en", "unclear"),
    ],
)
def test_endings(text: str, language: str, expected: str) -> None:
    assert ending(text, language) == expected
