"""``decalage bench``: the runtimes side by side on this machine."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from decalage.app.bench.launch import launch
from decalage.app.bench.machine import describe_machine
from decalage.app.bench.measure import Measurement, Outcome
from decalage.app.bench.plan import REPEATS, Audio, Choice, Group, Row, make_cells, make_rows
from decalage.app.bench.quality import MEND, References, installed, quality, read_text
from decalage.app.bench.report import make_report, without_traces
from decalage.app.bench.saved import SavedCells, default_folder
from decalage.app.bench.sound import audio_of, default_audio
from decalage.app.bench.tables import markdown, print_tables
from decalage.app.compose import RUNTIMES, make_blueprint
from decalage.app.options import CountsType, NamesType
from decalage.app.settings import Settings, available_cores, named
from decalage.config import Pace, RuntimeName
from decalage.errors import DecalageError, OutputError, UsageError
from decalage.sinks.output import TextOutput, check_writable, write_whole

INTERRUPTED = 130
_WIDTH = 160
"""Columns of the table where no terminal says how wide it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line."""

    source: str
    target: str
    model: str
    runtimes: tuple[RuntimeName, ...]
    workers: tuple[int, ...] | None
    threads: tuple[int, ...] | None
    address: str | None
    groups: tuple[Group, ...]
    paces: tuple[Pace, ...]
    repeats: int | None
    limit_s: float
    budget_min: float | None
    again: bool
    results: Path | None
    reference: Path | None
    reference_translation: Path | None
    json_path: str | None
    markdown_path: str | None
    plot: Path | None

    def choice(self) -> Choice:
        """The rows asked for."""
        base = Settings(source=named(self.source), targets=(self.target,), model=self.model)
        return Choice(
            runtimes=self.runtimes,
            workers=self.workers or (),
            threads=self.threads or (),
            groups=self.groups,
            address=self.address,
            base=base,
        )

    def rounds(self) -> dict[Pace, int]:
        """Repeats at each pace."""
        return {pace: self.repeats or REPEATS[pace] for pace in self.paces}


_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("given", metavar="[AUDIO]…", nargs=-1)
@click.option("--from", "source", default="en", metavar="LANG", show_default=True, help="Language spoken.")
@click.option("--to", "target", default="pt", metavar="LANG", show_default=True, help="Language written.")
@click.option("--model", default="base", metavar="NAME|PATH", show_default=True, help="Whisper model.")
@click.option(
    "--runtime",
    "runtimes",
    type=NamesType(list(RUNTIMES)),
    default=",".join(name for name in RUNTIMES if name != "ray" or find_spec("ray")),
    show_default=True,
    help="Which runtimes; ray, if it is installed.",
)
@click.option("--address", metavar="HOST:PORT|auto", help="Of a cluster for ray.  [default: this machine]")
@click.option("--workers", type=CountsType(), help="Recognitions at a time.  [default: by cores]")
@click.option("--threads", type=CountsType(), help="Threads in each.  [default: by cores]")
@click.option(
    "--rows",
    "groups",
    type=NamesType(get_args(Group)),
    default="a,b,c",
    show_default=True,
    help="a: sequential as the paper has it; b: each runtime so; c: each with today's defaults.",
)
@click.option(
    "--pace",
    "paces",
    type=NamesType(get_args(Pace)),
    default="realtime,max",
    show_default=True,
    help="realtime gives lag, latency and load; max gives RTF and throughput.",
)
@click.option(
    "--repeats", type=click.IntRange(1, 100), metavar="N", help="Of each cell.  [default: max 3, realtime 1]"
)
@click.option(
    "--seconds",
    "limit_s",
    type=click.FloatRange(1, 3600),
    default=60,
    metavar="S",
    show_default=True,
    help="At most this much of each AUDIO; a fiftieth more is taken whole.",
)
@click.option(
    "--budget",
    "budget_min",
    type=click.FloatRange(min=0),
    metavar="MINUTES",
    help="Leave out repeats, then rows, that take longer; 0 shows what is saved.",
)
@click.option("--again", is_flag=True, help="Measure even what is saved.")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help="Where cells are saved.")
@click.option("--reference", type=_PATH, metavar="FILE", help="What is said, for WER.")
@click.option("--reference-translation", type=_PATH, metavar="FILE", help="Its translation, for chrF.")
@click.option("--json", "json_path", metavar="PATH", help="The report with every cell; - is standard output.")
@click.option("--markdown", "markdown_path", metavar="PATH", help="The tables; - is standard output.")
@click.option("--plot", type=_PATH, metavar="PNG|SVG", help="A picture of timelines and bars.")
def bench(given: tuple[str, ...], **chosen: Any) -> int:
    """Measure the runtimes side by side on this machine.

    Each cell (runtime × workers × threads × pace × repeat) runs in a fresh process and is saved as
    it ends: a run that was interrupted goes on where it stopped.

    \b
    decalage bench                                  everything, on the sample talk
    decalage bench talk.mp4 --runtime sequential,pipeline --pace realtime
    decalage bench --budget 10 --json bench.json --plot bench.svg
    """  # noqa: D301 - \b keeps click from filling the lines
    return run(given, _Asked(**chosen))


def run(given: Sequence[str], asked: _Asked) -> int:
    """Measure, report, and give the exit code. Whatever can be refused is refused before."""
    _check(given, asked)
    paths = dict.fromkeys(given) or [default_audio()]
    audios = [audio_of(path, asked.limit_s) for path in paths]
    rows = make_rows(asked.choice())
    _prepare(rows)
    references = {audio: _references(audio, asked) for audio in audios}
    saved = SavedCells(asked.results or default_folder())
    budget_s = None if asked.budget_min is None else 60 * asked.budget_min
    machine = describe_machine()
    measurement = Measurement(launch=launch, saved=saved, tell=_tell, again=asked.again, budget_s=budget_s)
    outcome = measurement.run(make_cells(rows, audios, asked.paces, asked.rounds()))
    if outcome.interrupted:
        _tell(f"stopped; {len(outcome.results)} cells are saved, the same command goes on from there")
        return INTERRUPTED
    if not outcome.results:
        raise UsageError("the budget is too small for one cell; give more minutes")
    for cell, result in outcome.results.items():
        if result["error"] is None:
            captions = result["captions"]
            result["quality"] = quality(captions, references[cell.audio], asked.source, asked.target)
    report = make_report(outcome.results, outcome.left, machine, shlex.join(["decalage", *sys.argv[1:]]))
    _write(report, asked)
    return 1 if outcome.failed or _incomplete(outcome) else 0


def _incomplete(outcome: Outcome) -> bool:
    """Whether some speech failed or the sound was damaged, in any cell."""
    summaries = [result["summary"] for result in outcome.results.values() if result["error"] is None]
    return any(summary["failures"] or summary.get("damaged") for summary in summaries)


def _check(given: Sequence[str], asked: _Asked) -> None:
    """Refuse what could not be written or told, before anything is measured."""
    if len(given) > 1 and (asked.reference or asked.reference_translation):
        raise UsageError("--reference and --reference-translation go with one AUDIO")
    if asked.json_path == asked.markdown_path == "-":
        raise UsageError("standard output takes --json or --markdown, not both")
    if sys.stdout is None and all(path in (None, "-") for path in (asked.json_path, asked.markdown_path)):
        raise OutputError("standard output is closed; write to a file with --json or --markdown")
    for path in (asked.json_path, asked.markdown_path):
        if path not in (None, "-"):
            check_writable(str(path), whole=True)
    if asked.plot is not None:
        from decalage.app.bench.plot import check_picture  # noqa: PLC0415 - pictures are seldom asked for

        check_picture(asked.plot)
    if not installed():
        _tell(f"WER and chrF are left out; for them run: {MEND}")


def _references(audio: Audio, asked: _Asked) -> References:
    """From the manifest beside the sound, or from the files named."""
    found = References.beside(audio, asked.target)
    if asked.reference is not None:
        found = replace(found, transcript=read_text(asked.reference))
    if asked.reference_translation is not None:
        found = replace(found, translation=read_text(asked.reference_translation))
    return found


def _prepare(rows: Sequence[Row]) -> None:
    """Bring the models, for a cell asks no network. Raises what is wrong with every row.

    What is wrong with some, too little memory say, is left for their cells to tell.
    """
    refusals = []
    for row in rows:
        try:
            make_blueprint(replace(row.settings, offline=False))
        except DecalageError as refusal:
            refusals.append(refusal)
    if len(refusals) == len(rows):
        raise refusals[0]
    shapes = {row.name: row.settings.parallelism() for row in rows}
    crowded = [name for name, (each, inside) in shapes.items() if each * inside > available_cores()]
    if crowded:
        _tell(f"more threads than the {available_cores()} cores of this machine: {', '.join(crowded)}")


def _write(report: dict[str, Any], asked: _Asked) -> None:
    """Everything that was asked for, files first: the screen may be gone."""
    written = (
        (asked.json_path, json.dumps(without_traces(report), ensure_ascii=False, indent=1)),
        (asked.markdown_path, markdown(report).rstrip()),
    )
    for path, text in written:
        if path not in (None, "-"):
            write_whole(str(path), text + "\n")
    if asked.plot is not None:
        from decalage.app.bench.plot import draw  # noqa: PLC0415

        draw(report, asked.plot)
    shown = [text for path, text in written if path == "-"]
    if sys.stdout is not None:
        TextOutput(sys.stdout, "standard output").line(shown[0] if shown else _screen(report))


def _screen(report: dict[str, Any]) -> str:
    """The tables for standard output, as wide and as coloured as it is."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    with console.capture() as captured:
        print_tables(report, console)
    return captured.get().rstrip()


def _tell(line: str) -> None:
    click.echo(f"decalage: {line}", err=True)
