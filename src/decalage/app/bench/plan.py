"""What to measure and in which order, how long it will take, and what a budget leaves out.

Rows are an ablation, so that a runtime is never credited with the recognizer's gains:

    a   sequential as the paper has it: beam 5, the full 30 s window, one recognizer on all cores
    b   each runtime with that beam and window, and like (a) without work before a phrase has ended;
        the pipeline with one recognizer on all cores too, for a core less each slows every phrase
    c   each runtime with today's defaults

A cell is one row × one sound × one pace × one repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeAlias

from decalage.app.settings import Settings, available_cores
from decalage.config import Pace, RuntimeName, SegmenterOptions

Group: TypeAlias = Literal["a", "b", "c"]

PAPER_BEAM = 5
DEFAULT_RTF = 0.4
"""Wall time per second of sound at full speed where nothing has been measured yet."""
DEFAULT_START_S = 5.0
"""Seconds from the command to the first sample, likewise."""
REPEATS: Mapping[Pace, int] = {"max": 3, "realtime": 3}
LONGER = 1.02
"""A sound up to this many times the limit is taken whole: a last word is worth more than a second."""


@dataclass(frozen=True, slots=True)
class Audio:
    """One file to measure on."""

    path: str
    sha256: str
    seconds: float
    """How much of it is used."""
    cut_s: float | None
    """Where it is cut; None: it is taken whole."""

    @classmethod
    def limited(cls, path: str, sha256: str, length_s: float, limit_s: float) -> Audio:
        """As much of a file of ``length_s`` seconds as the limit allows."""
        if length_s <= limit_s * LONGER:
            return cls(path, sha256, length_s, None)
        return cls(path, sha256, limit_s, limit_s)


@dataclass(frozen=True, slots=True)
class Row:
    """A runtime with its settings; workers and threads are in ``settings``, never None."""

    group: Group
    settings: Settings

    @property
    def name(self) -> str:
        """Group, runtime, recognizers × threads in each."""
        settings = self.settings
        return f"{self.group} {settings.runtime} {settings.workers}×{settings.threads}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement."""

    row: Row
    audio: Audio
    pace: Pace
    repeat: int
    """From 0."""

    @property
    def settings(self) -> Settings:
        """As the program would be given them."""
        given = self.row.settings
        end_silence_s = given.end_silence_s
        if self.pace == "max":  # cut as when live
            end_silence_s = end_silence_s or SegmenterOptions().end_silence_s
        return replace(
            given,
            pace=self.pace,
            duration_s=self.audio.cut_s,
            end_silence_s=end_silence_s,
            offline=True,
        )

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.row.name}, {self.pace}, {Path(self.audio.path).name}, repeat {self.repeat + 1}"

    def request(self) -> dict[str, Any]:
        """What the cell's process is told; with the code and the machine, all that its result depends on."""
        return {"audio": self.audio.path, "settings": asdict(self.settings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for. Empty ``workers`` or ``threads``: by the machine's cores."""

    runtimes: tuple[RuntimeName, ...]
    workers: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    groups: tuple[Group, ...] = ("a", "b", "c")
    address: str | None = None
    """Of the cluster for ``ray``; None: this machine alone."""
    base: Settings = field(default_factory=Settings)
    """Languages and model; today's defaults for the rest."""


def make_rows(choice: Choice) -> list[Row]:
    """The rows of ``choice``, each configuration once; (a) first, for all others are compared with it."""
    paper = replace(choice.base, beam=PAPER_BEAM, encoder_window="full", partials=False, speculate=False)
    first = Row("a", replace(paper, runtime="sequential", workers=1, threads=available_cores()))
    rows = [first] if "a" in choice.groups else []
    for group, base in (("b", paper), ("c", choice.base)):
        if group not in choice.groups:
            continue
        shapes = list(product(choice.runtimes, choice.workers or (None,), choice.threads or (None,)))
        if group == "b" and not choice.workers and not choice.threads and "pipeline" in choice.runtimes:
            shapes.append(("pipeline", 1, available_cores()))
        for runtime, workers, threads in shapes:
            address = choice.address if runtime == "ray" else None
            settings = replace(base, runtime=runtime, workers=workers, threads=threads, address=address)
            each, inside = settings.parallelism()
            row = Row(group, replace(settings, workers=each, threads=inside))
            if row not in rows and not (first in rows and row.settings == first.settings):
                rows.append(row)
    return rows


def make_cells(
    rows: Sequence[Row], audios: Sequence[Audio], paces: Sequence[Pace], repeats: Mapping[Pace, int]
) -> list[Cell]:
    """All cells, repeats interleaved: every row once before any row again, each round from another on.

    A machine that warms up or is busy for a while then harms all rows alike, and a shorter plan is
    a beginning of a longer one. (a) and today's defaults come first: what a budget leaves out last.
    """
    first = sorted(rows, key=lambda row: "acb".index(row.group))
    return [
        Cell(row, audio, pace, repeat)
        for repeat in range(max((repeats[pace] for pace in paces), default=0))
        for audio, row, pace in product(audios, _from(first, repeat), paces)
        if repeat < repeats[pace]
    ]


def _from(rows: Sequence[Row], number: int) -> Sequence[Row]:
    """``rows`` in a circle, from the one of this number on."""
    at = number % len(rows) if rows else 0
    return [*rows[at:], *rows[:at]]


class Estimates:
    """How long a cell takes, the better the more has been measured."""

    def __init__(self) -> None:
        self._rtf: dict[tuple[Row, str], float] = {}
        self._start_s: dict[Row, float] = {}

    def learn(self, cell: Cell, rtf: float | None, start_s: float) -> None:
        """``cell`` took this."""
        if rtf is not None:
            self._rtf[cell.row, cell.audio.sha256] = rtf
        self._start_s[cell.row] = start_s

    def seconds(self, cell: Cell) -> float:
        """Estimated wall time of ``cell``."""
        start_s = self._start_s.get(cell.row, DEFAULT_START_S)
        rtf = self._rtf.get((cell.row, cell.audio.sha256), DEFAULT_RTF)
        return start_s + cell.audio.seconds * (1.0 if cell.pace == "realtime" else rtf)


def within_budget(
    cells: Sequence[Cell], cost_s: Callable[[Cell], float], budget_s: float | None
) -> tuple[list[Cell], list[Cell]]:
    """What fits into ``budget_s``, and what is left out: last repeats first, then the last rows.

    What costs nothing, being measured already, always fits.
    """
    if budget_s is None:
        return list(cells), []
    chosen: list[Cell] = []
    left: list[Cell] = []
    spent_s = 0.0
    for cell in cells:
        cost = cost_s(cell)
        fits = cost == 0 or (not left and spent_s + cost <= budget_s)
        (chosen if fits else left).append(cell)
        spent_s += cost if fits else 0.0
    return chosen, left


def left_out(cells: Sequence[Cell]) -> Iterator[str]:
    """``cells`` for a person, repeats of one row together."""
    counts: dict[str, int] = {}
    for cell in cells:
        name = f"{cell.row.name} {cell.pace}"
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        yield f"{name} ({count}×)" if count > 1 else name
