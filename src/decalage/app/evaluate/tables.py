"""The report as tables, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from decalage.app.bench.tables import NOTHING, QUIET_PERCENT, Section, as_markdown, as_table, split
from decalage.app.evaluate.report import rows_of
from decalage.app.evaluate.totals import OVERALL

_Columns = Mapping[str, tuple[str, int]]

_WORDS: _Columns = {
    "recordings": ("files", 0),
    "seconds": ("sound, s", 0),
    "captions": ("captions", 0),
    "wer": ("WER, %", 1),
    "bleu": ("BLEU", 1),
    "chrf": ("chrF", 1),
    "partials": ("partials", 0),
    "erasure": ("erasure", 2),
    "coverage": ("coverage, %", 0),
    "utterance_s": ("utterance, s", 1),
    "failures": ("utt. failed", 0),
    "failed": ("files failed", 0),
}
"""Column (or column.part) → heading and decimal places."""
_DELAYS: _Columns = {
    "lag.mean": ("lag mean", 2),
    "lag.p50": ("p50", 2),
    "lag.p95": ("p95", 2),
    "lag.max": ("max", 2),
    "latency.mean": ("latency mean", 2),
    "latency.p50": ("p50", 2),
    "latency.p95": ("p95", 2),
    "latency.max": ("max", 2),
}
_FIRST: _Columns = {
    "first_caption.mean": ("first caption mean", 2),
    "first_caption.p50": ("p50", 2),
    "first_caption.p95": ("p95", 2),
    "first_caption.max": ("max", 2),
    "first_words.p50": ("first words p50", 2),
    "first_words.p95": ("p95", 2),
    "long_yaal": ("LongYAAL", 2),
    "long_yaal_ca": ("LongYAAL CA", 2),
    "long_laal": ("LongLAAL", 2),
    "long_laal_ca": ("LongLAAL CA", 2),
    "coverage": ("coverage, %", 0),
}
_COST: _Columns = {
    "load": ("load", 3),
    "rtf": ("RTF", 3),
    "cpu_percent": ("CPU, %", 0),
    "memory_mb": ("memory, MB", 0),
    "translation_s.mean": ("MT mean, s", 3),
    "translation_s.p95": ("MT p95, s", 3),
    "rejected": ("rejected", 0),
    "dropped_s": ("dropped, s", 1),
    "lost": ("lost", 0),
    "order_violations": ("order viol.", 0),
}
_PARTS = (("Words", _WORDS), ("Delay, seconds", _DELAYS), ("First words, seconds", _FIRST), ("Cost", _COST))
_SHARES = ("coverage",)


def sections(report: Mapping[str, Any]) -> Iterator[Section]:
    """The tables; columns in which no set has a value are left out, and tables without a column."""
    rows = rows_of(report)
    for title, columns in _PARTS:
        told = {
            name: head for name, head in columns.items() if any(_value(row, name) is not None for row in rows)
        }
        if set(told) - set(_SHARES):
            lines = [[row["name"], *(_cell(row, name, told[name][1]) for name in told)] for row in rows]
            yield Section(title, ["set", *(heading for heading, _ in told.values())], lines)


def _value(row: Mapping[str, Any], name: str) -> Any:
    column, _, part = name.partition(".")
    value = row.get(column)
    return value[part] if part and value else value


def _cell(row: Mapping[str, Any], name: str, places: int) -> str:
    value = _value(row, name)
    if value is None:
        return NOTHING
    told = f"{value * 100 if name in _SHARES else value:.{places}f}"
    if name == "wer" and row["wer_interval"] and row["name"] == OVERALL:
        low, high = row["wer_interval"]
        return f"{told} ({low:.1f}–{high:.1f})"
    return told


def notes(report: Mapping[str, Any]) -> Iterator[str]:
    """What one must know to read the tables."""
    for name, signature in report["signatures"].items():
        if signature is not None:
            yield f"{name}: sacreBLEU {signature}"
    rows = rows_of(report)
    if any(row["lag"] for row in rows):
        yield (
            "Lag: from the end of speech to the caption; latency: from the endpoint. First caption: from the "
            f"beginning of speech in a recording, first words: in an utterance. {report['tail_s']:g} s of "
            "silence follow each recording, so that its last phrase ends as when live."
        )
    if any(row["long_yaal"] is not None for row in rows):
        yield (
            "LongYAAL, LongLAAL: OmniSTEval, over recordings with a reference translation; CA counts "
            "computing too. Output that is missing lowers LongLAAL: see the coverage."
        )
    if any(row["erasure"] is not None for row in rows):
        yield "Erasure: words taken back while a caption grew, per word of the result."
    if report["split"] != "all":
        yield f"Only the recordings of the split {report['split']}."
    for reason, count in report["left_out"].items():
        yield f"Left out: {count} {reason}."
    shares = [each["others_percent"] for each in report["recordings"] if each.get("others_percent")]
    busy = [share for share in shares if share > QUIET_PERCENT]
    if busy:
        yield (
            f"Not a quiet machine: in {len(busy)} of {len(shares)} runs other programs took up to "
            f"{max(busy):.0f} % of it."
        )


def failures(report: Mapping[str, Any]) -> list[str]:
    """Each recording that failed, a line."""
    return [f"{each['id']}: {each['error']}" for each in report["recordings"] if each["error"] is not None]


def print_sections(tables: Sequence[Section], console: Console) -> None:
    """``tables`` as wide as the screen allows."""
    for section in tables:
        for part in split(section, console.width):
            console.print(as_table(part))


def print_tables(report: Mapping[str, Any], console: Console) -> None:
    """All tables, notes and failures."""
    print_sections(list(sections(report)), console)
    for note in notes(report):
        console.print(note, style="dim", markup=False)
    for told in failures(report):
        console.print(f"failed: {told}", style="red", markup=False)


def markdown(report: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    machine = report["machine"]
    parts = [
        f"{Path(report['manifest']).name}, {len(report['recordings'])} files; {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['system']}; `{report['command']}`"
    ]
    parts += map(as_markdown, sections(report))
    parts += notes(report)
    parts += [f"Failed: {told}" for told in failures(report)]
    return "\n\n".join(parts) + "\n"
