"""``decalage evaluate``: quality and lag against references."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from decalage.app.bench import quality
from decalage.app.bench.cell import Measured
from decalage.app.bench.launch import launch
from decalage.app.bench.machine import describe_machine
from decalage.app.bench.measure import Measurement, told
from decalage.app.bench.saved import SavedCells
from decalage.app.bench.tables import as_markdown
from decalage.app.commands.translate import translate
from decalage.app.compose import make_blueprint
from decalage.app.evaluate import longform
from decalage.app.evaluate.choose import Choice, Split, Trust, choose, read_ids
from decalage.app.evaluate.compare import changed, compare, section
from decalage.app.evaluate.figures import figures
from decalage.app.evaluate.manifest import read_manifest
from decalage.app.evaluate.plan import CELL, CODE, answers, default_tail_s, make_cells
from decalage.app.evaluate.report import Circumstances, groups_of, make_report, read_report
from decalage.app.evaluate.tables import markdown, print_sections, print_tables
from decalage.app.settings import Settings, named
from decalage.config import Pace
from decalage.errors import DecalageError, OutputError, UsageError, one_line
from decalage.sinks.output import TextOutput, check_writable, write_whole
from decalage.store.files import cache_folder

INTERRUPTED = 130
_WIDTH = 160
"""Columns of the table where no terminal says how wide it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line but for the settings of a run."""

    sets: tuple[str, ...]
    kinds: tuple[str, ...]
    ids: Path | None
    split: Split
    trust: Trust
    limit: int | None
    text: bool
    tail_s: float | None
    again: bool
    results: Path | None
    logs: Path | None
    json_path: str | None
    markdown_path: str | None

    def choice(self, settings: Settings) -> Choice:
        """Which rows."""
        named(settings.source)
        options = settings.stream_options()
        return Choice(
            source=options.source,
            targets=options.targets,
            sets=self.sets,
            kinds=self.kinds,
            ids=None if self.ids is None else read_ids(self.ids),
            split=self.split,
            trust=self.trust,
            text=self.text,
            limit=self.limit,
        )


_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), required=False)
@click.option(
    "--pace",
    type=click.Choice(get_args(Pace)),
    default="realtime",
    show_default=True,
    help="realtime measures lag; max is quicker and leaves its columns out.",
)
@click.option("--set", "sets", multiple=True, metavar="NAME", help="Only this set. Repeatable.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="WORDS", help="Only kinds with these words. Repeatable."
)
@click.option("--ids", type=_FILE, metavar="FILE", help="Only the rows of these ids, one a line.")
@click.option(
    "--split",
    type=click.Choice(get_args(Split)),
    default="all",
    show_default=True,
    help="A third, chosen by the hash of its path, is for nothing to be tuned on.",
)
@click.option(
    "--references",
    "trust",
    type=click.Choice(get_args(Trust)),
    default="gold",
    show_default=True,
    help="all: recordings with uncertain transcripts too.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N of what is chosen.")
@click.option("--text", is_flag=True, help="Translate the transcripts, without sound.")
@click.option(
    "--tail",
    "tail_s",
    type=click.FloatRange(0, 60),
    metavar="S",
    help="Silence after each recording.  [default: 2, at full speed none]",
)
@click.option("--again", is_flag=True, help="Measure even what is saved.")
@click.option("--results", type=_FOLDER, metavar="DIR", help="Where results are saved.")
@click.option("--logs", type=_FOLDER, metavar="DIR", help="What OmniSTEval scored, for its own program.")
@click.option("--json", "json_path", metavar="PATH", help="The whole report; - is standard output.")
@click.option("--markdown", "markdown_path", metavar="PATH", help="The tables; - is standard output.")
@click.option(
    "--compare",
    "compared",
    nargs=2,
    type=_FILE,
    metavar="A.json B.json",
    help="Instead of measuring: two reports, with 95 % intervals of the differences.",
)
def evaluate(manifest: Path | None, *, compared: tuple[Path, Path] | None, **chosen: Any) -> int:
    """Stream each recording of a manifest through the pipeline and score what comes out.

    Recordings run one by one at speaking pace, each in a fresh process, and are saved as they end: a
    run that was interrupted goes on where it stopped. A table of sentences (.tsv), and rows without
    sound, are only translated.

    \b
    decalage evaluate manifest.jsonl --json today.json
    decalage evaluate manifest.jsonl --split held-out
    decalage evaluate sentences.tsv
    decalage evaluate --compare before.json today.json
    """  # noqa: D301 - \b keeps click from filling the lines
    given = {field.name: chosen.pop(field.name) for field in fields(Settings) if field.name in chosen}
    asked, settings = _Asked(**chosen), Settings(**given)
    _check(asked)
    if compared:
        if manifest is not None:
            raise UsageError("--compare takes two reports and no manifest")
        return run_comparison(*compared, asked)
    if manifest is None:
        raise UsageError("which manifest? for example: decalage evaluate manifest.jsonl")
    return run(manifest, settings, asked)


_OWN = ("pace", "duration_s")
"""Settings that mean something else here, or nothing."""
evaluate.params += [
    option
    for option in translate.params
    if option.name == "config" or (option.name in {f.name for f in fields(Settings)} - {*_OWN})
]


def run(manifest: Path, settings: Settings, asked: _Asked) -> int:
    """Measure, report, and give the exit code. Whatever can be refused is refused before."""
    choice = asked.choice(settings)
    chosen, left = choose(read_manifest(manifest, choice.source), choice)
    tail_s = default_tail_s(settings) if asked.tail_s is None else asked.tail_s
    cells = make_cells(chosen, manifest.parent, settings, tail_s)
    make_blueprint(settings)  # brings the models, for a cell asks no network
    _announce(left, settings)
    measurement = Measurement(
        launch=partial(launch, module=CELL),
        saved=SavedCells(asked.results or cache_folder().parent / "evaluate", CODE),
        tell=_tell,
        again=asked.again,
        noun="run",
        describe=_described,
    )
    machine = describe_machine()
    outcome = measurement.run(list(dict.fromkeys(cells.values())))
    if outcome.interrupted:
        _tell(f"stopped; {len(outcome.results)} of them are saved, the same command goes on from there")
        return INTERRUPTED
    circumstances = Circumstances(
        command=shlex.join(["decalage", *sys.argv[1:]]),
        machine=machine,
        manifest=str(manifest),
        settings=settings,
        tail_s=tail_s,
        split=asked.split,
        left_out=left,
    )
    found = [figures(one, result, settings) for one, result in answers(cells, outcome.results).items()]
    lack = longform.missing()
    delays = {}
    if lack is None:
        try:
            delays = longform.scores(longform.documents(found), groups_of(found), asked.logs)
        except DecalageError as error:  # hours of measuring are worth their other figures
            lack = one_line(error)
            _tell(f"LongYAAL and LongLAAL are left out; {lack}")
    report = make_report(found, circumstances, delays, lack)
    _write(report, markdown(report), partial(print_tables, report), asked)
    wrong = ("error", "failures", "damaged", "lost", "order_violations")
    return 1 if any(each.get(name) for each in found for name in wrong) else 0


def run_comparison(first: Path, second: Path, asked: _Asked) -> int:
    """Compare two reports; gives the exit code."""
    one, other = read_report(first), read_report(second)
    differences, lines = compare(one, other), changed(one, other)
    table = section(differences)

    def show(console: Console) -> None:
        print_sections([table], console)
        for line in lines:
            console.print(line, style="dim", markup=False)

    report = {"changed": lines, "differences": [each.as_data() for each in differences]}
    _write(report, "\n\n".join([as_markdown(table), *lines]), show, asked)
    return 0


def _described(result: Measured) -> str:
    """A result in a few words."""
    return "translated" if "translations" in result else told(result)


def _check(asked: _Asked) -> None:
    """Refuse what could not be written, before anything is measured."""
    if asked.json_path == asked.markdown_path == "-":
        raise UsageError("standard output takes --json or --markdown, not both")
    for path in (asked.json_path, asked.markdown_path):
        if path not in (None, "-"):
            check_writable(str(path), whole=True)
    if asked.logs is not None:
        try:
            asked.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {asked.logs}: {error.strerror}") from error


def _announce(left: Counter[str], settings: Settings) -> None:
    """What will not be told, and why."""
    for reason, count in left.items():
        _tell(f"left out: {count} {reason}")
    if not quality.installed():
        _tell(f"WER, BLEU and chrF are left out; for them run: {quality.MEND}")
    lack = longform.missing()
    if lack and settings.pace == "realtime":
        _tell(f"LongYAAL and LongLAAL are left out; {lack}")


def _write(report: dict[str, Any], marked: str, show: Callable[[Console], None], asked: _Asked) -> None:
    """Everything that was asked for, files first: the screen may be gone."""
    written = (
        (asked.json_path, json.dumps(report, ensure_ascii=False, indent=1)),
        (asked.markdown_path, marked.rstrip()),
    )
    for path, text in written:
        if path not in (None, "-"):
            write_whole(str(path), text + "\n")
    shown = [text for path, text in written if path == "-"]
    if sys.stdout is not None:
        TextOutput(sys.stdout, "standard output").line(shown[0] if shown else _screen(show))


def _screen(show: Callable[[Console], None]) -> str:
    """The tables for standard output, as wide and as coloured as it is."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    with console.capture() as captured:
        show(console)
    return captured.get().rstrip()


def _tell(line: str) -> None:
    click.echo(f"decalage: {line}", err=True)
