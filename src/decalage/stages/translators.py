"""Several translators as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from decalage.contracts import Translator
from decalage.errors import UnsupportedPairError
from decalage.speech import Translation

Engine = TypeVar("Engine")


def covering(by_pair: Mapping[tuple[str, str], Engine], source: str, target: str) -> Engine:
    """What translates so. Raises ``UnsupportedPairError`` with the pairs there are."""
    engine = by_pair.get((source, target))
    if engine is None:
        known = ", ".join("→".join(pair) for pair in by_pair) or "none"
        raise UnsupportedPairError(f"{source}→{target} is not loaded; loaded: {known}")
    return engine


class Translators:
    """Each pair by the first of ``translators`` that covers it."""

    def __init__(self, translators: Sequence[Translator]) -> None:
        self._by_pair = {pair: each for each in reversed(translators) for pair in each.pairs()}

    def __repr__(self) -> str:
        return f"<Translators {', '.join('→'.join(pair) for pair in self._by_pair)}>"

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        """Raises as the one that covers the pair, ``UnsupportedPairError`` where none does."""
        return covering(self._by_pair, source, target).translate(text, source=source, target=target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return list(self._by_pair)
