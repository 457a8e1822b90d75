"""``decalage advise``: which runtime and settings suit this machine and goal, with the reasons."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import click

from decalage.app.advise.consult import consult, local_models
from decalage.app.advise.probe import SPEECH, Job, measure, measuring_options
from decalage.app.advise.report import as_json, print_advice
from decalage.app.advise.save import save
from decalage.app.advise.shape import Shape
from decalage.app.advise.values import Goal, Probe, Question
from decalage.app.compose import make_blueprint, open_source
from decalage.app.machine import look
from decalage.app.options import LanguagesType, default_config, load_config
from decalage.app.settings import Settings, named
from decalage.errors import UsageError
from decalage.store.models import find_recognizer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line."""

    goal: Goal
    model: str
    source: str
    targets: tuple[str, ...]
    audio: str | None
    as_object: bool
    write: bool
    offline: bool
    config: Path | None


@dataclass(frozen=True, slots=True)
class _Measuring:
    """Measures models for the rule."""

    settings: Settings
    audio: str | None

    def __call__(self, model: str, shapes: Sequence[Shape]) -> Probe:
        """Load ``model`` in each of ``shapes``; refused before that where memory is short."""
        widest = max(shapes)
        settings = replace(self.settings, model=model, workers=widest.workers, threads=widest.threads)
        blueprint = make_blueprint(settings)
        options = settings.stream_options().recognizer
        job = Job(
            model=model,
            make=lambda threads: replace(blueprint, threads=threads),
            directions=list(blueprint.directions),
            options=options if self.audio else measuring_options(options),
        )
        if sys.stderr.isatty():
            click.echo(f"measuring {model}, a few seconds …", err=True)
        return measure(job, shapes, open_source(self.audio or str(SPEECH), settings))


def _load_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """As for other commands, but ``--write`` may make the file."""
    if path is None or path.exists():
        load_config(context, parameter, path)
    return path


@click.command()
@click.option(
    "--goal",
    type=click.Choice(get_args(Goal)),
    default="live",
    show_default=True,
    help="What matters most.",
)
@click.option(
    "--model",
    default="base",
    show_default=True,
    metavar="NAME|PATH",
    envvar="DECALAGE_MODEL",
    help="Whisper model to measure.",
)
@click.option(
    "--from",
    "source",
    default="en",
    show_default=True,
    metavar="LANG",
    envvar="DECALAGE_FROM",
    help="Language of the speech.",
)
@click.option(
    "--to",
    "targets",
    type=LanguagesType(),
    default="pt",
    show_default=True,
    envvar="DECALAGE_TO",
    help="Languages of the captions.",
)
@click.option("--audio", metavar="FILE", help="Measure on this speech.  [default: 11 s that come along]")
@click.option("--json", "as_object", is_flag=True, help="One JSON object on standard output.")
@click.option("--write", is_flag=True, help="Save the answer in the configuration file.")
@click.option("--offline", is_flag=True, envvar="DECALAGE_OFFLINE", help="Advise no model that is not here.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=_load_config,
    is_eager=True,
    envvar="DECALAGE_CONFIG",
    help="Read defaults here and save here.",
)
def advise(**given: Any) -> int:
    """Tell which runtime, workers, threads, beam and model suit this machine, and why.

    Takes some seconds: the model recognizes and translates a little speech, alone and with every
    worker busy. --write saves the answer, which translate and live then start from.
    """
    asked = _Asked(**given)
    if Path(asked.model).is_dir():  # saved settings are read from anywhere
        asked = replace(asked, model=str(Path(asked.model).resolve()))
    return run(asked)


def run(asked: _Asked) -> int:
    """Measure, answer, save; gives the exit code. Raises ``UsageError`` and ``MissingPartError``."""
    path = asked.config or default_config()
    if asked.config is not None and not asked.write and not path.exists():
        raise UsageError(f"cannot read {path}: it does not exist; --write makes it")
    settings = Settings(
        source=named(asked.source), targets=asked.targets, model=asked.model, offline=asked.offline
    )
    streams, machine = settings.stream_options(), look()
    question = Question(
        goal=asked.goal,
        model=asked.model,
        source=streams.source,
        directions=len(streams.targets),
        local=local_models(asked.model, find_recognizer(asked.model, offline=asked.offline)),
        offline=asked.offline,
    )
    advice, probes = consult(question, machine, _Measuring(settings, asked.audio))
    saved = path if asked.write else None
    changed = saved is not None and save(saved, advice.settings(otherwise=probes[-1].model))
    if asked.as_object:
        click.echo(as_json(advice, machine, probes, saved))
    else:
        print_advice(advice, machine, probes, sys.stdout)
    if saved is not None:
        click.echo(f"{'saved in' if changed else 'nothing to change in'} {saved}", err=True)
    return 0
