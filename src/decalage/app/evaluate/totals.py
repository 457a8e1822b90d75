"""The figures of many recordings as one row: what a set, or all of them, comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, TypeAlias

from decalage.app.bench.quality import installed
from decalage.app.evaluate.bootstrap import Words, interval
from decalage.app.evaluate.figures import Figures
from decalage.app.evaluate.translations import METRICS, score
from decalage.app.tally import spread

Totals: TypeAlias = dict[str, Any]

OVERALL = "overall"


def totals(figures: Sequence[Figures]) -> Totals:
    """One row of the report; failed recordings are counted and otherwise left out."""
    good = [figure for figure in figures if figure["error"] is None]
    heard = [figure for figure in good if "heard" in figure]
    return {
        "recordings": len(figures),
        "failed": len(figures) - len(good),
        "seconds": sum(figure["seconds"] for figure in heard) if heard else None,
        **_quality(good),
        **_time(heard),
        **_cost(heard),
        "translation_s": _spread(figure["translation_s"] for figure in good if "translation_s" in figure),
        **{name: sum(figure[name] for figure in heard) if heard else None for name in _COUNTED},
        "failures": sum(figure["failures"] for figure in good),
    }


_COUNTED = ("captions", "rejected", "gaps", "dropped_s", "lost", "order_violations")


def _quality(good: Sequence[Figures]) -> Totals:
    spoken = [figure for figure in good if figure.get("words")]
    words = Words([figure["errors"] for figure in spoken], [figure["words"] for figure in spoken])
    found: Totals = {
        "words": sum(words.words),
        "wer": words.rate() if spoken else None,
        "wer_interval": interval(words),
    }
    written = [figure for figure in good if figure["translation"]]
    pairs = [figure["translated"] for figure in written], [figure["translation"] for figure in written]
    for name in METRICS:
        scored = score(name, *pairs) if installed() else None
        found[name] = scored.value if scored else None
        found[f"{name}_signature"] = scored.signature if scored else None
    found["translations"] = len(written)
    return found


def _time(heard: Sequence[Figures]) -> Totals:
    live = [figure for figure in heard if figure["lags"]]
    return {
        "lag": _spread(lag for figure in live for lag in figure["lags"]),
        "latency": _spread(latency for figure in live for latency in figure["latencies"]),
        "first_caption": _spread(
            figure["first_caption"] for figure in live if figure["first_caption"] is not None
        ),
        "first_words": _spread(each for figure in live for each in figure["first_words"]),
    }


def _cost(heard: Sequence[Figures]) -> Totals:
    def total(name: str) -> float:
        return float(sum(figure[name] for figure in heard))

    utterances = [each for figure in heard for each in figure["utterances_s"]]
    grown = [figure["partials"] for figure in heard if figure["partials"] is not None]
    fast = [figure for figure in heard if figure["rtf"] is not None]
    return {
        "erasure": _ratio(total("erased_words"), total("shown_words")) if grown else None,
        "partials": sum(grown) if grown else None,
        "coverage": _ratio(total("captioned_s"), total("speech_s")),
        "utterance_s": fmean(utterances) if utterances else None,
        "load": _ratio(total("service_s"), total("seconds")),
        "rtf": _ratio(sum(each["wall_s"] for each in fast), sum(each["seconds"] for each in fast)),
        "cpu_percent": _ratio(sum(e["cpu_percent"] * e["wall_s"] for e in heard), total("wall_s")),
        "memory_mb": max((figure["memory_mb"] for figure in heard), default=None),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _spread(values: Any) -> dict[str, float] | None:
    found = spread(list(values))
    return None if found is None else asdict(found)
