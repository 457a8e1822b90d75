"""From cells to a report: medians and spread of each row, and how each compares with row (a).

The report, version 1, is what ``decalage bench --json`` writes::

    version, command, machine {…}
    audio   [{path, sha256, seconds, cut_s}]
    rows    [{name, group, runtime, workers, threads, settings {…}, audio (path),
              cells   [{pace, repeat, error, summary, captions, others_percent, measured_at, …}],
              median  {column: value or null},  spread {column: [least, most]},
              ratio   {column: times row (a) on the same sound}}]
    paper   {note, rows [{option, runtime, ratio {column: times today}, column: value or [low, high]}]}
    left_out [names of cells]

Live cells have their trace too, for the picture; the file goes without (megabytes).

Columns: seconds, per cent and megabytes as in a run's summary. ``throughput`` is seconds of sound
per second. Latency and lag are of live cells, RTF and throughput of cells at full speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from decalage.app.bench import paper
from decalage.app.bench.cell import Measured
from decalage.app.bench.plan import Audio, Cell, Row, left_out
from decalage.config import Pace

VERSION = 1

Value = float | bool | None
_BOTH: tuple[Pace, ...] = ("realtime", "max")


@dataclass(frozen=True, slots=True)
class Column:
    """One number of a cell, and how those of a row become one."""

    paces: tuple[Pace, ...]
    """The cells that have it: those of the first pace that was measured."""
    read: Callable[[Measured], Value]
    together: Callable[[Iterable[Any]], Any] = median
    compared: bool = True
    """Whether a ratio to row (a) says something."""


def _summary(name: str, part: str | None = None) -> Callable[[Measured], Value]:
    def look(cell: Measured) -> Value:
        value: Any = cell["summary"][name]
        read: Value = value if part is None or value is None else value[part]
        return read

    return look


def _per_rtf(cell: Measured) -> Value:
    rtf = cell["summary"]["rtf"]
    return 1 / rtf if rtf else None


def _per_minute(cell: Measured) -> Value:
    summary = cell["summary"]
    return 60 * summary["utterances"] / summary["wall_s"] if summary["wall_s"] else None


def _of(name: str) -> Callable[[Measured], Value]:
    return lambda cell: cell[name]


def _quality(name: str) -> Callable[[Measured], Value]:
    return lambda cell: cell.get("quality", {}).get(name)


COLUMNS: Mapping[str, Column] = {
    "latency_mean": Column(("realtime",), _summary("latency", "mean")),
    "latency_max": Column(("realtime",), _summary("latency", "max")),
    "rtf": Column(("max",), _summary("rtf")),
    "throughput": Column(("max",), _per_rtf),
    "utterances_per_min": Column(("max",), _per_minute),
    "memory_mb": Column(_BOTH, _summary("memory_mb")),
    "cpu_percent": Column(("max",), _summary("cpu_percent")),
    "realtime": Column(("realtime",), _of("realtime"), all, compared=False),
    "moving_parts": Column(_BOTH, lambda cell: sum(cell["moving_parts"].values()), max),
    "lines": Column(_BOTH, _of("lines"), max),
    "lag_p50": Column(("realtime",), _summary("lag", "p50")),
    "lag_p95": Column(("realtime",), _summary("lag", "p95")),
    "load": Column(_BOTH, _summary("load")),
    "cpu_live_percent": Column(("realtime",), _summary("cpu_percent")),
    "cold_start_s": Column(_BOTH, _summary("cold_start_s")),
    "ipc_ms": Column(_BOTH, _of("ipc_ms"), compared=False),
    "wer": Column(_BOTH, _quality("wer"), compared=False),
    "chrf": Column(_BOTH, _quality("chrf"), compared=False),
    "order_violations": Column(_BOTH, _of("order_violations"), max, compared=False),
    "lost": Column(_BOTH, _of("lost"), max, compared=False),
    "failures": Column(_BOTH, _summary("failures"), max, compared=False),
}
_SAFETY = ("order_violations", "lost", "failures")
"""Columns that look at the cells of every pace: the worst of all counts."""


def readings(name: str, cells: Sequence[Measured]) -> list[Any]:
    """The values of column ``name`` in ``cells``; failed cells have none."""
    column = COLUMNS[name]
    found: dict[str, list[Any]] = {}
    for cell in cells:
        value = column.read(cell) if cell["error"] is None else None
        if value is not None:
            found.setdefault(cell["pace"], []).append(value)
    if name in _SAFETY:
        return [value for values in found.values() for value in values]
    return next((found[pace] for pace in column.paces if pace in found), [])


def middle(cells: Sequence[Measured]) -> dict[str, Value]:
    """Each column's one value: the median, of counts the worst, of verdicts whether all say yes."""
    values = {name: readings(name, cells) for name in COLUMNS}
    return {name: COLUMNS[name].together(each) if each else None for name, each in values.items()}


def spread(cells: Sequence[Measured]) -> dict[str, list[float]]:
    """Each measured column's least and most."""
    values = {name: readings(name, cells) for name in COLUMNS if name != "realtime"}
    return {name: [min(each), max(each)] for name, each in values.items() if each}


def ratios(row: Mapping[str, Value], first: Mapping[str, Value] | None) -> dict[str, float]:
    """``row`` in times of row (a), columns where both are known."""
    found = {}
    for name, column in COLUMNS.items():
        base, value = (first or {}).get(name), row.get(name)
        if column.compared and base and value is not None:
            found[name] = float(value) / float(base)
    return found


def rows_of(results: Mapping[Cell, Measured]) -> list[dict[str, Any]]:
    """The report's rows, in the order of the plan, those of one sound together."""
    groups: dict[tuple[Audio, Row], list[Measured]] = {}
    audios = list(dict.fromkeys(cell.audio for cell in results))
    for cell in sorted(results, key=lambda cell: audios.index(cell.audio)):
        told = {"pace": cell.pace, "repeat": cell.repeat, **results[cell]}
        groups.setdefault((cell.audio, cell.row), []).append(told)
    first = {audio: middle(cells) for (audio, row), cells in groups.items() if row.group == "a"}
    rows = []
    for (audio, row), cells in groups.items():
        settings = {**asdict(row.settings), "pace": None}
        settings.pop("offline")
        rows.append(
            {
                "name": row.name,
                "group": row.group,
                "runtime": row.settings.runtime,
                "workers": row.settings.workers,
                "threads": row.settings.threads,
                "settings": {k: v for k, v in settings.items() if v is not None},
                "audio": audio.path,
                "cells": cells,
                "median": (values := middle(cells)),
                "spread": spread(cells),
                "ratio": ratios(values, first.get(audio)),
            }
        )
    return rows


def make_report(
    results: Mapping[Cell, Measured], left: Sequence[Cell], machine: Mapping[str, Any], command: str
) -> dict[str, Any]:
    """The whole report; see the module."""
    return {
        "version": VERSION,
        "command": command,
        "machine": dict(machine),
        "audio": [asdict(audio) for audio in dict.fromkeys(cell.audio for cell in results)],
        "rows": rows_of(results),
        "paper": paper.as_data(),
        "left_out": list(left_out(left)),
    }


def without_traces(report: Mapping[str, Any]) -> dict[str, Any]:
    """``report`` as it is written to a file."""
    rows = [
        {**row, "cells": [{k: v for k, v in cell.items() if k != "trace"} for cell in row["cells"]]}
        for row in report["rows"]
    ]
    return {**report, "rows": rows}
