"""Bootstrap over recordings: what may be chance. Seeded: the same figures give the same interval.

Recordings are drawn, not utterances or words, for those of one recording are alike (Koehn 2004,
"Statistical significance tests for machine translation evaluation"; Bisani and Ney 2004, "Bootstrap
estimates for confidence intervals in ASR performance evaluation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decalage.app.evaluate.translations import MetricName, counts, score_of

RESAMPLES = 2000
_SEED = 20

Draw: TypeAlias = NDArray[np.intp]
"""Numbers of recordings, as many as there are, some more than once."""


class Measure(Protocol):
    """A figure over recordings, and over a draw of them."""

    def __len__(self) -> int:
        """Recordings."""
        ...

    def of(self, draw: Draw) -> float:
        """The figure of the recordings drawn."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """Word error rate in per cent."""

    errors: Sequence[int]
    words: Sequence[int]

    def __len__(self) -> int:
        return len(self.words)

    def rate(self) -> float:
        """Of all."""
        return 100 * sum(self.errors) / sum(self.words)

    def of(self, draw: Draw) -> float:
        return float(100 * np.take(self.errors, draw).sum() / np.take(self.words, draw).sum())


class Translated:
    """BLEU or chrF."""

    def __init__(self, name: MetricName, translated: Sequence[str], references: Sequence[str]) -> None:
        self._name = name
        self._counts = counts(name, translated, references)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"<Translated {self._name} of {len(self)}>"

    def of(self, draw: Draw) -> float:
        return score_of(self._name, self._counts[draw].sum(axis=0))


class Times:
    """Seconds of several utterances in each recording: their mean, or a percentile."""

    def __init__(self, times: Sequence[Sequence[float]], percentile: float | None = None) -> None:
        self._times = [np.array(each, dtype=np.float64) for each in times]
        self._percentile = percentile

    def __len__(self) -> int:
        return len(self._times)

    def __repr__(self) -> str:
        return f"<Times of {len(self)} {self._percentile or 'mean'}>"

    def of(self, draw: Draw) -> float:
        drawn = np.concatenate([self._times[number] for number in draw])
        return float(drawn.mean() if self._percentile is None else np.percentile(drawn, self._percentile))


def whole(measure: Measure) -> float:
    """The figure of all recordings, each once."""
    return measure.of(np.arange(len(measure)))


def interval(measure: Measure) -> tuple[float, float] | None:
    """The middle 95 % of the figure over draws; None with fewer than two recordings."""
    if len(measure) < 2:
        return None
    return _middle([measure.of(draw) for draw in _draws(len(measure))])


def difference_interval(one: Measure, other: Measure) -> tuple[float, float] | None:
    """The same of ``other`` − ``one``, both of the same recordings in the same order: paired draws."""
    if len(one) < 2:
        return None
    return _middle([other.of(draw) - one.of(draw) for draw in _draws(len(one))])


def _draws(count: int) -> Draw:
    return np.random.default_rng(_SEED).integers(0, count, (RESAMPLES, count))


def _middle(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
