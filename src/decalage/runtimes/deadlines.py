"""How long engine calls may take: what is said of one that took longer, and time for each of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from decalage.config import RuntimeOptions
from decalage.contracts import Translator
from decalage.runtimes.calls import Seat
from decalage.speech import Translation

START_LIMIT_S = 300.0
"""A model that has not loaded by then will not."""


def overdue(limit_s: float) -> str:
    """What became of a call that did not end within ``limit_s`` seconds."""
    return f"no answer within {limit_s:.0f} s"


def timed(seat: Seat[Translator], renew: Callable[[float], None], limits: RuntimeOptions) -> Seat[Translator]:
    """``seat``, each of whose calls has the time that its text needs; ``renew(seconds)`` begins it."""
    return replace(seat, engine=TextByText(seat.engine, renew, limits))


class TextByText:
    """``contracts.Translator`` whose every call has a deadline of its own."""

    def __init__(self, engine: Translator, renew: Callable[[float], None], limits: RuntimeOptions) -> None:
        self._engine = engine
        self._renew = renew
        self._limits = limits

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        self._renew(self._limits.mt_limit_s(text))
        return self._engine.translate(text, source=source, target=target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return self._engine.pairs()
