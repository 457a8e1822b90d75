"""BLEU and chrF by sacreBLEU, with the signatures that say how. Needs the extra ``quality``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

MetricName: TypeAlias = Literal["bleu", "chrf"]
METRICS: tuple[MetricName, ...] = ("bleu", "chrf")


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100."""

    value: float
    signature: str


def score(name: MetricName, translated: Sequence[str], references: Sequence[str]) -> Score | None:
    """Of all ``translated`` together; None of nothing."""
    if not translated:
        return None
    metric = _metric(name)
    value = float(metric.corpus_score(list(translated), [list(references)]).score)
    return Score(value, str(metric.get_signature()))


def counts(name: MetricName, translated: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """What the score is made of, a row for each text: rows add up."""
    extracted = _metric(name)._extract_corpus_statistics(list(translated), [list(references)])
    return np.array(extracted, dtype=np.float64)


def score_of(name: MetricName, counted: NDArray[np.float64]) -> float:
    """The score of counts added up."""
    return float(_metric(name)._compute_score_from_stats(counted.tolist()).score)


@cache
def _metric(name: MetricName) -> Any:
    from sacrebleu.metrics import BLEU, CHRF  # noqa: PLC0415 - an extra

    return BLEU() if name == "bleu" else CHRF()
