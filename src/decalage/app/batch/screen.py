"""The course of a batch on standard error: bars where a person sees them, else a line a file."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from decalage.app.batch.jobs import Watch
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Task
from decalage.app.batch.standing import Standing, length, line, plural, printable, times, why
from decalage.clock import SystemClock

_KINDS = {
    "captioned": "captioned",
    "before": "done before",
    "written": "written from their events",
    "reused": "made from another",
    "failed": "failed",
    "left": "left",
}
"""How a file ended, or in which state where it has no results → in words."""
_ONE = {"written": "written from its events"}


class Unread:
    """A text file on which writing never fails: nobody may read it any more."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Shown(Watch, Protocol):
    """A watch that knows how far the batch is."""

    standing: Standing


@contextmanager
def watching(tasks: Sequence[Task]) -> Iterator[Shown]:
    """What shows the course of ``tasks``, as long as the context lasts."""
    standing, console = Standing(tasks, SystemClock()), _standard_error()
    if not console.is_terminal:
        yield Lines(standing, console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bars(standing, progress)


class Lines:
    """A line for each file that has ended, but for those that were done before."""

    def __init__(self, standing: Standing, console: Console) -> None:
        self.standing = standing
        self._console = console

    def began(self, task: Task) -> None:
        """Not told."""

    def moved(self, task: Task, heard_s: float) -> None:
        self.standing.moved(task, heard_s)

    def ended(self, outcome: Outcome) -> None:
        self.standing.finish(outcome)
        if outcome.how != "before":
            _print(self._console, _numbered(self.standing, outcome))


class Bars:
    """A bar for all, one for each file in work, and what has ended above them."""

    def __init__(self, standing: Standing, progress: Progress) -> None:
        self.standing = standing
        self._progress = progress
        self._all = progress.add_task("captioning", total=standing.total_s, told="")
        self._each: dict[str, TaskID] = {}

    def began(self, task: Task) -> None:
        self._forget(task)
        name = printable(task.name)
        self._each[task.name] = self._progress.add_task(name, total=task.duration_s, told="")

    def moved(self, task: Task, heard_s: float) -> None:
        self.standing.moved(task, heard_s)
        self._progress.update(self._each[task.name], completed=heard_s, told=length(heard_s))
        self._tell()

    def ended(self, outcome: Outcome) -> None:
        self.standing.finish(outcome)
        self._forget(outcome.task)
        if outcome.how != "before":
            _print(self._progress.console, _numbered(self.standing, outcome))
        self._tell()

    def _forget(self, task: Task) -> None:
        bar = self._each.pop(task.name, None)
        if bar is not None:
            self._progress.remove_task(bar)

    def _tell(self) -> None:
        standing = self.standing
        done = f"{length(standing.done_s)} of {length(standing.total_s)}"
        told = f"{standing.ended}/{standing.files} files, {done}"
        if standing.speed is not None and standing.left_s is not None:
            told += f", {times(standing.speed)}, {length(standing.left_s)} left"
        self._progress.update(self._all, total=standing.total_s, completed=standing.done_s, told=told)


def tell_end(outcomes: Sequence[Outcome], wall_s: float, results: Path) -> None:
    """What failed and why, then the totals, on standard error."""
    console = _standard_error()
    bad = [outcome for outcome in outcomes if outcome.bad]
    rows = [(printable(each.task.path), each.state, why(each)) for each in bad]
    if rows and console.is_terminal:
        table = Table("file", "", "why", box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        _print(console, table)
    for path, state, reason in () if console.is_terminal else rows:
        _print(console, f"{state}: {path}: {reason}")
    _print(console, totals(outcomes, wall_s))
    left = sum(each.state == "left" for each in outcomes)
    if left:
        _print(console, f"{left} left: the same command goes on")
    if any(each.record is not None for each in outcomes):
        _print(console, f"results in {printable(results)}")


def totals(outcomes: Sequence[Outcome], wall_s: float) -> str:
    """All of it in a line."""
    heard_s = sum(each.audio_s for each in outcomes if each.how == "captioned")
    kinds = Counter[str](each.how or each.state for each in outcomes)
    bad = Counter[tuple[str, str]]((each.how, each.state) for each in outcomes if each.how and each.bad)
    told = [_counted(kind, kinds[kind], bad) for kind in _KINDS if kinds[kind]]
    speed = heard_s / wall_s if heard_s and wall_s > 0 else None
    spent = f"; {length(heard_s)} in {length(wall_s)}, {times(speed)}" if heard_s else ""
    files = plural(len(outcomes), "file")
    return f"{files}: {', '.join(told)}{spent}" if told else files


def _counted(kind: str, count: int, bad: Mapping[tuple[str, str], int]) -> str:
    """``9 captioned (1 of them damaged)``: each file once."""
    states = [(state, number) for (how, state), number in bad.items() if how == kind]
    of_all = [state for state, number in states if number == count]
    some = ", ".join(of_all or [f"{number} of them {state}" for state, number in states])
    name = _ONE.get(kind, _KINDS[kind]) if count == 1 else _KINDS[kind]
    return f"{count} {name}{f' ({some})' if some else ''}"


def _numbered(standing: Standing, outcome: Outcome) -> str:
    return f"[{standing.ended}/{standing.files}] {line(outcome)}"


def _standard_error() -> Console:
    """Results do not depend on whether anybody reads it: bars of a terminal that was closed go nowhere."""
    file: Any = io.StringIO() if sys.stderr is None else Unread(sys.stderr)
    return Console(file=file, highlight=False)


def _print(console: Console, told: str | Table) -> None:
    console.print(told, markup=False, highlight=False, soft_wrap=isinstance(told, str))
