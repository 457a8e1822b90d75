"""The report as tables, for a terminal and as Markdown: the paper's columns, ours, and the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

NOTHING = "–"

_PAPERS = {
    "latency_mean": ("latency mean, s", 3),
    "latency_max": ("latency max, s", 3),
    "rtf": ("RTF", 3),
    "throughput": ("throughput, ×", 2),
    "utterances_per_min": ("utt. a minute", 1),
    "memory_mb": ("memory, MB", 0),
    "cpu_percent": ("CPU, %", 0),
    "realtime": ("real-time", 0),
    "moving_parts": ("moving parts", 0),
    "lines": ("lines", 0),
}
"""Column → heading and decimal places."""
_OURS = {
    "lag_p50": ("lag p50, s", 2),
    "lag_p95": ("lag p95, s", 2),
    "load": ("load", 3),
    "cpu_live_percent": ("CPU live, %", 0),
    "memory_mb": ("memory PSS, MB", 0),
    "cold_start_s": ("cold start, s", 1),
    "ipc_ms": ("IPC, ms/utt.", 1),
    "wer": ("WER, %", 1),
    "chrf": ("chrF", 1),
    "order_violations": ("order viol.", 0),
    "lost": ("lost", 0),
    "failures": ("failed", 0),
}
_COMPARED = ("latency_mean", "latency_max", "rtf", "throughput", "memory_mb", "cpu_percent")

_NOTES = (
    "Latency, lag and live CPU at speaking pace; RTF, throughput and CPU at full speed. Real-time: lag does "
    "not grow over the run. Moving parts: threads, processes and queues seen at work. Lines: code of the "
    "runtime's own modules.",
    "Rows: a = sequential with the paper's settings (beam 5, 30 s window, one recognizer on all cores); "
    "b = each runtime with that beam and window; c = each with today's defaults. Lines that begin with "
    '"paper" are the paper\'s estimates for its own machine and speech, not measured here.',
)
_BORDER = 3
"""Characters around a column."""
QUIET_PERCENT = 10.0
"""Above this share of the machine, what other programs took is told beside the numbers."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table as text."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]
    paper: frozenset[int] = frozenset()
    """The lines that are the paper's, not measured."""


def sections(report: Mapping[str, Any], *, full: bool = False) -> Iterator[Section]:
    """The tables of each sound. ``full``: the spread as least and most, not as half its width."""
    for audio in report["audio"]:
        rows = [row for row in report["rows"] if row["audio"] == audio["path"]]
        sound = f"{Path(audio['path']).name}, {audio['seconds']:.1f} s"
        yield _section(f"The paper's columns: {sound}", _PAPERS, rows, report["paper"]["rows"], full=full)
        yield _section(f"Lag, cost and words: {sound}", _OURS, rows, (), full=full)
        if any(row["ratio"] for row in rows if row["group"] != "a"):
            yield _comparison(f"Times row a: {sound}", rows, report["paper"]["rows"])


def failures(report: Mapping[str, Any]) -> list[str]:
    """Each failed cell, a line."""
    return [
        f"{row['name']}, {cell['pace']}, {row['audio']}, repeat {cell['repeat'] + 1}: {cell['error']}"
        for row in report["rows"]
        for cell in row["cells"]
        if cell["error"] is not None
    ]


def disturbance(report: Mapping[str, Any]) -> list[str]:
    """A line where the machine was not quiet, else none."""
    cells = [cell for row in report["rows"] for cell in row["cells"] if cell["error"] is None]
    shares = [cell["others_percent"] for cell in cells if cell["others_percent"] > QUIET_PERCENT]
    if not shares:
        return []
    told = f"other programs took up to {max(shares):.0f} % of the machine"
    return [f"Not a quiet machine: in {len(shares)} of {len(cells)} cells {told}."]


def _section(
    title: str,
    columns: Mapping[str, tuple[str, int]],
    rows: Sequence[Mapping[str, Any]],
    estimates: Sequence[Mapping[str, Any]],
    *,
    full: bool,
) -> Section:
    lines = [
        [row["name"], *(_measured(row, name, places, full=full) for name, (_, places) in columns.items())]
        for row in rows
    ]
    paper = range(len(lines), len(lines) + len(estimates))
    for one in estimates:
        cells = [_estimated(one, name, places) for name, (_, places) in columns.items()]
        lines.append([_option(one), *cells])
    return Section(title, ["row", *(heading for heading, _ in columns.values())], lines, frozenset(paper))


def _comparison(
    title: str, rows: Sequence[Mapping[str, Any]], estimates: Sequence[Mapping[str, Any]]
) -> Section:
    """Each runtime's rows in times of row (a), the paper's ratio under them."""
    lines: list[list[str]] = []
    paper = set()
    for runtime in dict.fromkeys(row["runtime"] for row in rows):
        lines += [
            [row["name"], *(_times(row["ratio"], name) for name in _COMPARED)]
            for row in rows
            if row["runtime"] == runtime and row["group"] != "a"
        ]
        for one in estimates:
            if one["runtime"] == runtime and one["ratio"]:
                paper.add(len(lines))
                lines.append([_option(one), *(_times(one["ratio"], name) for name in _COMPARED)])
    head = ["row", *(_PAPERS[name][0].partition(",")[0] for name in _COMPARED)]
    return Section(title, head, lines, frozenset(paper))


def _option(estimate: Mapping[str, Any]) -> str:
    return f"paper: {estimate['option']} ({estimate['runtime']})"


def _times(ratio: Mapping[str, float], name: str) -> str:
    return f"{ratio[name]:.2f}×" if name in ratio else NOTHING


def _measured(row: Mapping[str, Any], name: str, places: int, *, full: bool) -> str:
    value = row["median"][name]
    if value is None:
        failed = row["cells"] and all(cell["error"] is not None for cell in row["cells"])
        return "failed" if failed else NOTHING
    if name == "realtime":
        return "yes" if value else "no"
    least, most = row["spread"][name]
    told = f"{value:.{places}f}"
    if f"{least:.{places}f}" == f"{most:.{places}f}":
        return told
    if full:
        return f"{told} ({least:.{places}f}–{most:.{places}f})"
    return f"{told} ±{(most - least) / 2:.{places}f}"


def _estimated(estimate: Mapping[str, Any], name: str, places: int) -> str:
    """The paper's value; its ratio where it gives no value."""
    value = estimate.get(name)
    if isinstance(value, list):
        return "–".join(f"{end:.{places}f}" for end in value)
    return _times(estimate["ratio"], name) if value is None else f"{value:.{places}f}"


def print_tables(report: Mapping[str, Any], console: Console) -> None:
    """All tables, notes and failures."""
    for section in sections(report):
        for part in split(section, console.width):
            console.print(as_table(part))
    for note in _NOTES:
        console.print(note, style="dim")
    for told in disturbance(report):
        console.print(told, style="yellow")
    for told in failures(report):
        console.print(f"failed: {told}", style="red", markup=False)


def split(section: Section, width: int) -> Iterator[Section]:
    """``section`` as tables side after side that fit ``width`` characters, each with the rows' names.

    A heading may be broken between words, a number never.
    """
    widths = [wide + _BORDER for wide in _widths(section)]
    chosen: list[int] = []
    for column in range(1, len(widths)):
        taken = 1 + widths[0] + sum(widths[one] for one in chosen)
        if chosen and taken + widths[column] > width:
            yield _only(section, chosen)
            chosen = []
        chosen.append(column)
    yield _only(section, chosen)


def _only(section: Section, columns: Sequence[int]) -> Section:
    """The first column and ``columns``."""
    kept = [0, *columns]
    lines = [[line[column] for column in kept] for line in section.lines]
    return Section(section.title, [section.head[column] for column in kept], lines, section.paper)


def _widths(section: Section) -> list[int]:
    """Characters that each column needs: its longest cell or word of its heading."""
    return [
        max(map(len, [*heading.split(), *cells]))
        for heading, *cells in zip(section.head, *section.lines, strict=True)
    ]


def as_table(section: Section) -> Table:
    """For the screen."""
    table = Table(title=section.title, title_justify="left", title_style="bold")
    for number, (heading, wide) in enumerate(zip(section.head, _widths(section), strict=True)):
        table.add_column(heading, justify="right" if number else "left", width=wide)
    for number, line in enumerate(section.lines):
        table.add_row(*line, style="dim italic" if number in section.paper else None)
    return table


def markdown(report: Mapping[str, Any]) -> str:
    """All tables as Markdown, the paper's numbers in italics."""
    machine = report["machine"]
    features = "/".join(machine.get("features") or ())
    cpu = f"{machine['cpu']} ({features})" if features else machine["cpu"]
    parts = [f"{cpu}, {machine['cores']} cores, {machine['system']}; `{report['command']}`"]
    parts += map(as_markdown, sections(report, full=True))
    parts += [*_NOTES, *disturbance(report)]
    parts += [f"Failed: {told}" for told in failures(report)]
    if report["left_out"]:
        parts.append(f"Left out for the budget: {', '.join(report['left_out'])}")
    return "\n\n".join(parts) + "\n"


def as_markdown(section: Section) -> str:
    """A title and a table."""
    lines = [list(section.head), ["---", *["--:"] * (len(section.head) - 1)]]
    for number, line in enumerate(section.lines):
        lines.append([f"*{cell}*" if number in section.paper else cell for cell in line])
    body = "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)
    return f"**{section.title}**\n\n{body}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
