"""Who worked when, read from a benchmark's report: what its picture draws as a timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

RUNTIMES = ("sequential", "pipeline", "pool", "processes", "asyncio", "ray")
STAGES = ("vad", "asr", "mt")
"""Drawn, from the top down; capture is one bar from end to end, which tells nothing."""
WINDOW_S = 20.0
"""Seconds of the timeline: a bar of 0.3 s is wide enough for its number."""
_ALIKE_S = 0.02


@dataclass(frozen=True, slots=True)
class Bar:
    """Work or speech. Times are seconds since the stream began."""

    start: float
    end: float
    index: int

    def within(self, start: float) -> Bar | None:
        """The part of it in the window that begins at ``start``; None where there is none."""
        left, right = max(self.start, start), min(self.end, start + WINDOW_S)
        return Bar(left, right, self.index) if left < right else None


@dataclass(frozen=True, slots=True)
class Panel:
    """One runtime's timeline: lanes from the top down, each with its stage and its bars."""

    title: str
    lanes: Sequence[tuple[str, str, Sequence[Bar]]]

    def within(self, start: float) -> Panel:
        """What of it is in the window that begins at ``start``, without idle lanes."""
        seen = [
            (label, stage, [part for bar in bars if (part := bar.within(start))])
            for label, stage, bars in self.lanes
        ]
        return Panel(self.title, [lane for lane in seen if lane[2]])


def panels_of(rows: Sequence[Json]) -> list[Panel]:
    """One for each runtime of the report, sequential first."""
    present = {row["runtime"]: None for row in rows}
    order = [name for name in RUNTIMES if name in present] + [n for n in present if n not in RUNTIMES]
    return [_panel(name, [row for row in rows if row["runtime"] == name]) for name in order]


def _panel(runtime: str, rows: Sequence[Json]) -> Panel:
    """The live cell of the first row of group b, else of any row, else any cell with a trace."""
    cells = [
        (cell.get("pace") != "realtime", row.get("group") != "b", number, row, cell)
        for number, row in enumerate(rows)
        for cell in row.get("cells") or []
        if (cell.get("trace") or {}).get("spans")
    ]
    if not cells:
        return Panel(f"{runtime}: no trace", [])
    *_, row, cell = min(cells, key=lambda found: found[:3])
    title = row["name"] if runtime in row["name"] else f"{runtime}: {row['name']}"
    if cell.get("pace") == "max":
        title += ", at full speed"
    return Panel(title, _lanes(cell))


def _lanes(cell: Json) -> list[tuple[str, str, Sequence[Bar]]]:
    captions = cell.get("captions") or []
    origin = _origin(cell["trace"], captions)
    found: dict[tuple[int, str, int], list[Bar]] = {}
    for span in [span for span in cell["trace"]["spans"] if span["stage"] in STAGES]:
        lane = (STAGES.index(span["stage"]), span["thread"], span["process"])
        bar = Bar(span["start"] - origin, span["end"] - origin, span["index"])
        found.setdefault(lane, []).append(bar)
    processes = list(dict.fromkeys(process for *_, process in sorted(found)))
    lanes: list[tuple[str, str, Sequence[Bar]]] = []
    if captions:
        lanes.append(("speech", "speech", [Bar(c["start"], c["end"], c["index"]) for c in captions]))
    for (stage, thread, process), bars in sorted(found.items()):
        name = STAGES[stage]
        label = thread if thread.startswith(name) else f"{thread}: {name}"
        if len(processes) > 1:
            label += f", process {processes.index(process) + 1}"
        lanes.append((label, name, bars))
    return lanes


def _origin(trace: Json, captions: Iterable[Json]) -> float:
    """When, on the runtime's clock, the stream began.

    A caption tells when its recognition began on the stream's clock, and a span when on the
    runtime's: which span, of several, is told by what most of them agree on. Without captions the
    first entry is taken for the beginning, which is late by one chunk of sound.
    """
    starts = [(span["index"], span["start"]) for span in trace["spans"] if span["stage"] == "asr"]
    began = {caption["index"]: caption.get("asr_start") for caption in captions}
    guesses = [start - began[index] for index, start in starts if began.get(index) is not None]
    if guesses:
        return float(max(guesses, key=lambda guess: sum(abs(guess - other) < _ALIKE_S for other in guesses)))
    times = [span["start"] for span in trace["spans"]]
    return float(min([*times, *(depth["time"] for depth in trace.get("depths") or [])]))


def busiest(panels: Sequence[Panel]) -> float:
    """Where the 20 s with most work begin: recognition and translation of all panels count."""
    bars = [
        bar for panel in panels for _, stage, lane in panel.lanes if stage in ("asr", "mt") for bar in lane
    ]
    starts = sorted({max(0.0, float(int(bar.start)) - 2) for bar in bars}) or [0.0]

    def work(start: float) -> float:
        return sum(part.end - part.start for bar in bars if (part := bar.within(start)))

    return max(starts, key=lambda start: (round(work(start), 3), -start))
