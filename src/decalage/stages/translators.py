"""Several translators as one."""

from __future__ import annotations

from collections.abc import Sequence

from decalage.contracts import Translator
from decalage.errors import UnsupportedPairError
from decalage.speech import Translation


class Translators:
    """Each pair by the first of ``translators`` that covers it."""

    def __init__(self, translators: Sequence[Translator]) -> None:
        self._by_pair = {pair: each for each in reversed(translators) for pair in each.pairs()}

    def __repr__(self) -> str:
        return f"<Translators {', '.join('→'.join(pair) for pair in self._by_pair)}>"

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        """Raises as the one that covers the pair, ``UnsupportedPairError`` where none does."""
        translator = self._by_pair.get((source, target))
        if translator is None:
            known = ", ".join("→".join(pair) for pair in self._by_pair) or "none"
            raise UnsupportedPairError(f"{source}→{target} is not loaded; loaded: {known}")
        return translator.translate(text, source=source, target=target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return list(self._by_pair)
