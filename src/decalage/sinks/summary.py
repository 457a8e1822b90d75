"""The end of a run in a few lines."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

from rich.table import Table

from decalage.events import Spread, Summary
from decalage.sinks.console import PipeConsole


def print_summary(summary: Summary, stream: TextIO | None) -> None:
    """Write ``summary_table`` to ``stream``; where that cannot be written, or is closed, it is left out."""
    if stream is None:
        return
    console = PipeConsole(file=stream, highlight=False)
    with suppress(OSError):
        console.print()
        if console.is_terminal:
            console.print(summary_table(summary))
            return
        for name, value in _rows(summary):
            console.print(f"{name:<8}  {value}", soft_wrap=True, markup=False)


def summary_table(summary: Summary) -> Table:
    """What was done, the lag first; what was not measured is left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in _rows(summary):
        table.add_row(name, value)
    return table


def _rows(summary: Summary) -> list[tuple[str, str]]:
    rows = []
    if summary.lag is not None:
        rows.append(("lag", f"{_spread(summary.lag)}  (after speech)"))
    if summary.latency is not None:
        rows.append(("latency", f"{_spread(summary.latency)}  (after its end was certain)"))
    if summary.voice_lag is not None:
        rows.append(("voice", f"{_spread(summary.voice_lag)}  (first sound after speech)"))
    if summary.rtf is not None and summary.rtf > 0:
        rows.append(("speed", f"{1 / summary.rtf:.1f} × real time (RTF {summary.rtf:.3f})"))
    told = [f"{summary.captions} caption{'' if summary.captions == 1 else 's'}"]
    if not summary.utterances:
        told = ["no speech was found"]
    gaps = f"gap{'' if summary.gaps == 1 else 's'}"
    counts = {"failed": summary.failures, "no speech": summary.rejected, gaps: summary.gaps}
    told += [f"{count} {name}" for name, count in counts.items() if count]
    rows.append(("speech", f"{summary.audio_s:.1f} s in {summary.wall_s:.1f} s: {', '.join(told)}"))
    rows.append(("cost", _cost(summary)))
    given_up = [f"{step} for {spent:.0f} s" for step, spent in summary.shed_s.items()]
    given_up += [f"{summary.dropped_s:.1f} s of sound"] if summary.dropped_s else []
    if given_up:
        rows.append(("too slow", f"given up: {', '.join(given_up)}"))
    if summary.spilled_s:
        rows.append(("disk", f"up to {summary.spilled_s:.0f} s of sound waited there"))
    if summary.damaged:
        rows.append(("damaged", summary.damaged))
    if summary.breach:
        rows.append(("defect", f"samples do not add up: {summary.breach}; please report it"))
    return rows


def _cost(summary: Summary) -> str:
    """Of the work, and of this machine where it worked for this run only."""
    if summary.cpu_percent is None or summary.memory_mb is None or summary.cold_start_s is None:
        return f"load {summary.load:.2f}"
    return (
        f"load {summary.load:.2f}, CPU {summary.cpu_percent:.0f} %, "
        f"memory {summary.memory_mb:.0f} MB, start {summary.cold_start_s:.1f} s"
    )


def _spread(spread: Spread) -> str:
    return f"mean {spread.mean:.2f} s, median {spread.p50:.2f}, 95 % {spread.p95:.2f}, worst {spread.max:.2f}"
