"""The table of docs/languages.md.

python -m scripts.language_table
"""

from __future__ import annotations

import re
from pathlib import Path

from decalage.languages import LANGUAGES

DOCUMENT = Path(__file__).parents[1] / "docs" / "languages.md"


def table() -> str:
    """A row a language."""
    rows = [
        f"| {each.name} | `{each.code}` | `{each.iso}` | {'–' if each.nllb is None else f'`{each.nllb}`'} |"
        for each in sorted(LANGUAGES.values(), key=lambda each: each.name)
    ]
    return "\n".join(
        ["| language | here, Whisper, Firefox | ISO 639-3 | NLLB-200 |", "| --- | --- | --- | --- |", *rows]
    )


def main() -> None:
    """Put it where the old one was."""
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(
        re.sub(r"\| language .*?(?=\n\n|\Z)", lambda _: table(), text, flags=re.DOTALL), "utf-8"
    )


if __name__ == "__main__":
    main()
