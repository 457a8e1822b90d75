"""``decalage batch``: an archive, each file captioned once."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from decalage.app.batch import afresh
from decalage.app.batch.entries import Entry, gather
from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.foresee import foresee, lines
from decalage.app.batch.lists import read_list
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Forms, Task, asked, find_reuse, make_tasks
from decalage.app.batch.report import make_report
from decalage.app.batch.run import Ended, caption_all
from decalage.app.batch.runner import MOST_STREAMS, done_before, is_of
from decalage.app.batch.screen import tell_end
from decalage.app.commands.batch_telling import look_at, tell, tell_left_out, write_report
from decalage.app.commands.declared import declared_among, told
from decalage.app.compose import check_runtime, make_blueprint
from decalage.app.directions import find_directions
from decalage.app.options import NamesType, config_option
from decalage.app.outputs import WRITTEN, tells_words
from decalage.app.settings import Settings, overcommitted, unheard_terms
from decalage.errors import ModelMissingError, UsageError
from decalage.sinks.captions import Show
from decalage.sinks.output import TextOutput, check_writable

INTERRUPTED = 130
_SHARED = (
    *("--from", "--to", "--runtime", "--workers", "--threads", "--model", "--device"),
    *("--compute-type", "--engine", "--beam", "--encoder-window", "--pace", "--end-silence"),
    *("--max-utterance", "--prompt", "--terms", "--show", "--duration", "--address"),
    *("--offline", "--verbose"),
)
"""Of the options of ``translate``, those that make sense where nobody watches the captions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line but for the settings of a run."""

    given: tuple[str, ...]
    results: str
    manifests: tuple[Path, ...]
    forms: tuple[str, ...]
    also: tuple[str, ...]
    show: Show | None
    streams: int | None
    retries: int
    again: bool
    dry_run: bool
    report: str | None

    @property
    def written(self) -> Forms:
        """How captions are written: ``--format`` alone, if it is there."""
        return Forms(self.also or self.forms, self.show)


def _own(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """``value``, unless it is what a file of settings says for an option of ``translate`` of this name."""
    assert parameter.name is not None  # noqa: S101 - options have one
    others = context.get_parameter_source(parameter.name) is ParameterSource.DEFAULT_MAP
    if others and parameter.required:
        raise click.BadParameter(
            "name the folder for the results on the command line, for example -o captions"
        )
    return () if others else value


def _formats(context: click.Context, parameter: click.Parameter, value: Any) -> tuple[str, ...]:
    names = NamesType(WRITTEN)
    mine = _own(context, parameter, value)
    return tuple(dict.fromkeys(name for each in mine for name in names.convert(each, parameter, context)))


@click.command(
    epilog="Exit codes: 0 all done, or stopped by SIGTERM; 1 something failed or is damaged, each told; 2 "
    "bad usage; 3 something is not installed; 130 stopped by Ctrl-C. If files are left it says so, and the "
    "same command goes on."
)
@click.argument("given", metavar="[FILES]...", nargs=-1)
@click.option(
    "-o", "--output", "results", required=True, metavar="DIR", callback=_own, help="Folder of the results."
)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A list: JSON lines or CSV (path, and if wanted from, to, name), or a path a line. Repeatable.",
)
@click.option(
    "--formats",
    "forms",
    type=NamesType(WRITTEN),
    default="srt,txt,jsonl",
    show_default=True,
    envvar="DECALAGE_FORMATS",
    help="What is written of each file.",
)
@click.option(
    "--format",
    "also",
    multiple=True,
    callback=_formats,
    metavar="NAME",
    help="The same, one by one. Repeatable.",
)
@click.option(
    "--streams",
    envvar="DECALAGE_STREAMS",
    type=click.IntRange(1, MOST_STREAMS),
    metavar="N",
    help="Files at a time.  [default: as many as keep the workers busy]",
)
@click.option(
    "--retries",
    envvar="DECALAGE_RETRIES",
    type=click.IntRange(0, 10),
    default=1,
    show_default=True,
    metavar="N",
    help="Tries more for a file that failed for a reason that may pass.",
)
@click.option("--again", is_flag=True, help="Caption even what is done.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done; nothing is written.")
@click.option("--report", metavar="PATH", help="What became of each file, as JSON; - is standard output.")
@declared_among(*_SHARED)
@config_option
def batch(*, verbose: int, **chosen: Any) -> int:
    """Caption many files: each once, into a folder of results.

    \b
    decalage batch lectures -o captions              a folder, with all in it that has sound
    decalage batch 'talks/**/*.mp4' -o captions      a pattern
    decalage batch --manifest talks.csv -o captions  a list: path, from, to, name
    decalage batch lectures -o captions --dry-run    what there is to do, and for how long

    The same command again goes on where the last one ended: what is done is not done again, nor what only
    has another name now. Files that changed are done anew, and so is everything by other settings.
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    wanted = _Asked(**{field.name: chosen.pop(field.name) for field in fields(_Asked)})
    forms = wanted.written.forms
    settings = Settings(**chosen, words=tells_words("txt", [f"captions.{form}" for form in forms]))
    settings.runtime_options()  # before anything is looked at or made
    if settings.pace != "max":
        raise UsageError(
            "batch works at full speed; at speaking pace: decalage translate FILE --pace realtime"
        )
    if wanted.dry_run and wanted.report is not None:
        raise UsageError("--dry-run writes nothing: leave out --report, or --dry-run")
    if wanted.report not in (None, "-"):
        check_writable(str(wanted.report), whole=True)
    rows = [row for path in wanted.manifests for row in read_list(path)]
    entries = gather(wanted.given, rows, results=Path(wanted.results))
    ways = list(dict.fromkeys(asked(entry, settings) for entry in entries))
    return (
        _foretell(entries, ways, settings, wanted)
        if wanted.dry_run
        else _run(entries, ways, settings, wanted)
    )


def _foretell(entries: Sequence[Entry], ways: Sequence[Settings], settings: Settings, wanted: _Asked) -> int:
    """Tell what would be done. Loads and brings no model: one that is missing is only told of."""
    for each in ways:
        options = each.stream_options()
        try:
            find_directions(options.source, options.targets, hears_others=True)
        except ModelMissingError as error:
            tell(f"this is not here yet: {error}")
    folder = ResultFolder(Path(wanted.results))
    folder.read()
    tasks = _tasks(entries, settings, wanted, folder)
    if wanted.again:
        folder.records.since = _again(folder, tasks)
    looked = look_at(tasks)
    known = {task.name: task for task in (*looked.tasks, *looked.lacking)}
    foreseen = foresee([known[task.name] for task in tasks if task.name in known], folder)
    if sys.stdout is not None:
        output = TextOutput(sys.stdout, "standard output")
        for line in lines(foreseen, folder):
            output.line(line)
    return 1 if any(each.due == "failed" for each in foreseen) else 0


def _run(entries: Sequence[Entry], ways: Sequence[Settings], settings: Settings, wanted: _Asked) -> int:
    """Caption what is not done, tell what became of all, and give the exit code."""
    for caution in filter(None, (overcommitted(settings), unheard_terms(settings))):
        tell(caution)
    check_runtime(settings)
    blueprints = {each: make_blueprint(each) for each in ways}
    with ResultFolder(Path(wanted.results)) as folder:
        tasks = _tasks(entries, settings, wanted, folder)
        if wanted.again:
            folder.records.since = _again(folder, tasks)
            afresh.begin(folder, folder.records.since)
        before = {task.name: done for task in tasks if (done := _done(task, folder)) is not None}
        looked = look_at([task for task in tasks if task.name not in before])
        outcomes = [*before.values(), *(_lacking(task) for task in looked.lacking)]
        if before:
            tell(f"{len(before)} of {len(tasks) - len(looked.silent)} files were done before")
        ended = Ended([])
        if looked.tasks:
            ended = caption_all(
                looked.tasks, folder, settings, blueprints, streams=wanted.streams, retries=wanted.retries
            )
        left = any(each.state == "left" for each in ended.outcomes)
        if wanted.again and not left:
            afresh.end(folder, folder.records.since)
    places = {task.name: number for number, task in enumerate(tasks)}
    outcomes = sorted([*outcomes, *ended.outcomes], key=lambda each: places[each.task.name])
    interrupted = bool(ended.stops) and left
    report = make_report(
        outcomes,
        settings,
        folder.path,
        silent=looked.silent,
        wall_s=ended.wall_s,
        interrupted=interrupted,
    )
    tell_end(outcomes, ended.wall_s, folder.path)
    unwritten = write_report(wanted.report, json.dumps(report, ensure_ascii=False, indent=1))
    if ended.fatal is not None:
        raise ended.fatal
    if interrupted and not ended.orderly:
        return INTERRUPTED
    return 1 if any(each.bad for each in outcomes) else unwritten


def _tasks(entries: Sequence[Entry], settings: Settings, wanted: _Asked, folder: ResultFolder) -> list[Task]:
    """``make_tasks``; what was named and is a result is told."""
    tasks = make_tasks(entries, settings, wanted.written, folder)
    paths = {task.path for task in tasks}
    own = [each.path for each in entries if each.named and each.path not in paths]
    tell_left_out(own, "they are results of a batch")
    return tasks


def _again(folder: ResultFolder, tasks: Sequence[Task]) -> Mapping[str, float]:
    """Since when each of ``tasks`` has to have been captioned; that it is in the middle is told."""
    since, before = afresh.since_when(folder, tasks)
    if before is not None:
        tell(f"--again of {time.strftime('%Y-%m-%d %H:%M', time.localtime(before))} goes on")
    return since


def _done(task: Task, folder: ResultFolder) -> Outcome | None:
    """What became of ``task`` before, where that can be told without reading it."""
    reuse = None if task.sha256 is None else find_reuse(task, task.sha256, folder)
    if reuse is None or not reuse.whole or not is_of(reuse.record, task):
        return None
    return done_before(task, reuse.record)


def _lacking(task: Task) -> Outcome:
    """It cannot be read, as is known already."""
    return Outcome(task=task, state="failed", error=f"{task.path} {task.entry.lack}")
