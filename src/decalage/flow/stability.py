"""What of a growing text is shown, and what of it is held: pure, one object for each text that grows.

Two hypotheses of the same speech in a row agree on a prefix; LocalAgreement takes that for settled
(Liu et al., *Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
Hypothesis Selection*, 2020). Holding back the newest words keeps most corrections off the screen
(mask-k: Arivazhagan et al., *Re-translation versus Streaming for Simultaneous Translation*, 2020).
A re-translated sentence changes from an early word on, so here the mask is a share, not a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from decalage.config import Stability

_BALANCED_SHARE = 0.4
"""Of the words of a hypothesis ``balanced`` shows so many, one at least, if the one before it agrees."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A text to show and the length of its prefix that is held, in code points, at a word boundary."""

    text: str
    stable: int


class GrowingText:
    """Hypotheses of one text in, what to show out."""

    def __init__(self, stability: Stability) -> None:
        self._stability = stability
        self._last: list[str] = []  # the newest hypothesis
        self._held: list[str] = []  # words that stay

    def __repr__(self) -> str:
        return f"<GrowingText {self._stability} {' '.join(self._held)!r}>"

    def grow(self, hypothesis: str) -> Shown:
        """What to show of ``hypothesis``, the newest of the text so far."""
        words = hypothesis.split()
        agreed = agreement(self._last, words)
        self._last = words
        spliced = continued(self._held, words)
        kept = len(spliced) - len(words) + agreed  # the agreed words, counted in the spliced text
        if self._stability == "balanced":
            kept = min(kept, max(1, int(_BALANCED_SHARE * len(spliced))))
        if kept > len(self._held):
            self._held = spliced[:kept]
        shown = spliced if self._stability == "fast" else self._held
        return Shown(" ".join(shown), len(" ".join(self._held)))

    def settle(self, text: str) -> str:
        """The settled text: ``text`` itself, but what ``reading`` has shown stays as it was."""
        if self._stability != "reading" or not self._held:
            return text
        return " ".join(continued(self._held, text.split()))


def continued(held: list[str], words: list[str]) -> list[str]:
    """``held``, and of ``words`` what comes after the part that says the same.

    Where ``words`` begins with ``held`` that is ``words``. Where it does not, the end of ``held`` is
    looked up in ``words``: what follows there goes on.
    """
    if words[: len(held)] == held:
        return words
    blocks = SequenceMatcher(a=_plain(held), b=_plain(words), autojunk=False).get_matching_blocks()
    matched = [block for block in blocks if block.size]
    if not matched:
        return held + words[len(held) :]
    last = matched[-1]
    after = len(held) - (last.a + last.size)  # held words past the last one that both have
    return held + words[last.b + last.size + after :]


def agreement(one: Sequence[str], other: Sequence[str]) -> int:
    """Words in which two texts begin alike."""
    count = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        count += 1
    return count


def _plain(words: list[str]) -> list[str]:
    """Words as they are compared: without case and punctuation, unless there is nothing else."""
    return ["".join(filter(str.isalnum, word)).lower() or word for word in words]
