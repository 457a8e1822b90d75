"""Two reports side by side: differences over the recordings they share, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from decalage.app.bench.quality import installed
from decalage.app.bench.tables import NOTHING, Section
from decalage.app.evaluate.bootstrap import Measure, Times, Translated, Words, difference_interval, whole
from decalage.app.evaluate.figures import Figures, heard_of
from decalage.app.evaluate.report import Report
from decalage.app.evaluate.totals import OVERALL
from decalage.app.evaluate.translations import METRICS, MetricName
from decalage.errors import UsageError

Pair = tuple[Figures, Figures]
_Make = Callable[[Sequence[Figures]], Measure]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of one set in both reports."""

    set: str
    measure: str
    recordings: int
    """Those that have it in both."""
    one: float
    other: float
    interval: tuple[float, float] | None
    """Of other − one, 95 %; None: a single recording tells nothing."""

    @property
    def told(self) -> bool:
        """Whether chance alone would seldom make such a difference."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    def as_data(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "difference": self.other - self.one}


def compare(one: Report, other: Report) -> list[Difference]:
    """Every figure that both reports have, set by set, then over all. Raises ``UsageError`` for none."""
    pairs = paired(one, other)
    names = list(dict.fromkeys(left["set"] for left, _ in pairs))
    groups = {name: [pair for pair in pairs if pair[0]["set"] == name] for name in names}
    spoken = [pair for pair in pairs if heard_of(pair[0])]
    if len({left["set"] for left, _ in spoken}) > 1:
        groups[OVERALL] = spoken
    found = [each for name, members in groups.items() for each in _differences(name, members)]
    if not found:
        raise UsageError("the reports share no recording with a figure to compare")
    return found


def paired(one: Report, other: Report) -> list[Pair]:
    """The same recordings of both, in the order of the first; those that failed in either left out."""
    second = {(each["id"], each["set"]): each for each in other["recordings"]}
    pairs = [(each, second.get((each["id"], each["set"]))) for each in one["recordings"]]
    return [
        (left, right)
        for left, right in pairs
        if right is not None and left["error"] is None and right["error"] is None
    ]


def _differences(name: str, pairs: Sequence[Pair]) -> Iterator[Difference]:
    for measure, (has, make) in _MEASURES.items():
        if measure in METRICS and not installed():
            continue
        chosen = [pair for pair in pairs if has(pair[0]) and has(pair[1])]
        if chosen:
            left, right = (make(side) for side in zip(*chosen, strict=True))
            interval = difference_interval(left, right)
            yield Difference(name, measure, len(chosen), whole(left), whole(right), interval)


def _words(figures: Sequence[Figures]) -> Measure:
    return Words([each["errors"] for each in figures], [each["words"] for each in figures])


def _translated(metric: MetricName) -> _Make:
    return lambda figures: Translated(
        metric, [each["translated"] for each in figures], [each["translation"] for each in figures]
    )


def _times(name: str, percentile: float | None = None) -> _Make:
    return lambda figures: Times([each[name] for each in figures], percentile)


def _having(name: str) -> Callable[[Figures], bool]:
    return lambda figure: bool(figure.get(name))


_MEASURES: Mapping[str, tuple[Callable[[Figures], bool], _Make]] = {
    "wer": (_having("words"), _words),
    **{metric: (_having("translation"), _translated(metric)) for metric in METRICS},
    "lag mean": (_having("lags"), _times("lags")),
    "lag p95": (_having("lags"), _times("lags", 95)),
    "latency mean": (_having("latencies"), _times("latencies")),
    "first words mean": (_having("first_words"), _times("first_words")),
}
"""Figure → which recordings have it, and how it is made of them."""


def changed(one: Report, other: Report) -> list[str]:
    """Settings in which the reports differ, and recordings that only one has, a line each."""
    names = dict.fromkeys([*one["settings"], *other["settings"]])
    values = [(name, one["settings"].get(name), other["settings"].get(name)) for name in names]
    lines = [f"{name}: {before} → {after}" for name, before, after in values if before != after]
    count = len(paired(one, other))
    for report, which in ((one, "first"), (other, "second")):
        alone = len(report["recordings"]) - count
        if alone:
            lines.append(f"{alone} recordings of the {which} report stand alone or failed: not compared")
    return lines


def section(differences: Sequence[Difference]) -> Section:
    """As a table; a difference that is more than chance has a star."""
    lines = []
    for each in differences:
        middle = NOTHING if each.interval is None else "{:+.2f} … {:+.2f}".format(*each.interval)
        numbers = [f"{each.one:.2f}", f"{each.other:.2f}", f"{each.other - each.one:+.2f}"]
        star = "*" if each.told else ""
        lines.append([each.set, each.measure, str(each.recordings), *numbers, middle, star])
    head = ["set", "figure", "files", "first", "second", "difference", "95 %", ""]
    return Section("Second − first", head, lines)
