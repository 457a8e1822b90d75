"""``decalage translate``: a file, URL or raw sound in, captions out."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import click

from decalage.app.compose import (
    RUNTIMES,
    check_outputs,
    make_blueprint,
    make_runtime,
    open_sinks,
    open_source,
    start_event,
)
from decalage.app.options import EncoderWindowType, LanguagesType, load_config
from decalage.app.progress import progress
from decalage.app.session import Session, failures
from decalage.app.settings import Settings, overcommitted
from decalage.app.tracefile import check_trace, write_trace
from decalage.config import Engine, Pace, Stability
from decalage.contracts import AudioSource, Sink
from decalage.events import Summary
from decalage.flow.trace import Trace
from decalage.sinks.captions import Show
from decalage.sinks.summary import print_summary

INTERRUPTED = 130

_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP
_FINISHING = b"\ndecalage: finishing what was read; Ctrl-C again ends at once\n"

_DECLARED: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = []


def _option(*names: str, **attributes: Any) -> None:
    """Declare an option that can also be set as ``DECALAGE_<NAME>`` and in the config file."""
    long = next(name for name in names if name.startswith("--"))
    variable = "DECALAGE_" + long.lstrip("-").replace("-", "_").upper()
    _DECLARED.append(click.option(*names, envvar=variable, show_default=True, **attributes))


_option("--from", "source", default="en", metavar="LANG", help="Language of the speech.")
_option("--to", "targets", type=LanguagesType(), default="pt", help="Languages of the captions (BCP 47).")
_option(
    "--runtime",
    type=click.Choice(sorted(RUNTIMES)),
    default="pipeline",
    help="How the stages share the machine.",
)
_option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Recognitions at a time.  [default: by the machine's cores]",
)
_option(
    "--threads",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Threads in each recognition.  [default: by the machine's cores]",
)
_option(
    "--model",
    default="base",
    metavar="NAME|PATH",
    help="Whisper model: base, tiny.en, another size or a folder.",
)
_option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where recognition runs."
)
_option(
    "--compute-type", default="auto", metavar="TYPE", help="Arithmetic of recognition; auto is int8 on a CPU."
)
_option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="auto",
    help="What runs the recognizer; auto: onnxruntime for greedy search on a CPU, else ctranslate2.",
)
_option(
    "--beam", type=click.IntRange(1, 10), default=1, metavar="N", help="Beam of the recognizer; 1 is greedy."
)
_option(
    "--encoder-window",
    type=EncoderWindowType(),
    default="auto",
    help="Sound the encoder is given: fitted, 30 s, or seconds.",
)
_option(
    "--pace",
    type=click.Choice(get_args(Pace)),
    default="max",
    help="realtime behaves as a live source and measures lag.",
)
_option(
    "--end-silence",
    "end_silence_s",
    type=click.FloatRange(0.1, 5),
    metavar="S",
    help="Silence that ends an utterance: 0.5 at speaking pace, 1.5 at full speed.",
)
_option(
    "--max-utterance",
    "max_utterance_s",
    type=click.FloatRange(5, 28),
    metavar="S",
    help="Longer speech is cut at its quietest point: 15 at speaking pace, 27 at full speed.",
)
_option(
    "--partials/--no-partials",
    default=None,
    help="Captions that grow while a person speaks.  [default: at speaking pace]",
)
_option(
    "--stability",
    type=click.Choice(get_args(Stability)),
    default="balanced",
    help="How much of a growing caption is shown; reading never takes back a word.",
)
_option(
    "--speculate/--no-speculate",
    default=True,
    help="At speaking pace: begin with a phrase in a pause that may be its end.",
)
_option("--prompt", metavar="TEXT", help="Names and spellings the recognizer should expect.")
_option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl", "txt"]),
    default="text",
    help="text: live captions for a terminal; txt: plain lines.",
)
_option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(dir_okay=True, path_type=str),
    metavar="PATH",
    help="Write here, format by extension (.jsonl, .txt); - is standard output. Repeatable.",
)
_option(
    "--show",
    type=click.Choice(["source", "target", "both"]),
    default="both",
    help="Which text the captions show.",
)
_option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Stop after this much sound.",
)
_option(
    "--trace",
    type=click.Path(path_type=str),
    metavar="PATH",
    help="What ran when and where, a file for ui.perfetto.dev.",
)
_option("--offline", is_flag=True, help="Never ask the network for a model.")
_option("-v", "--verbose", count=True, help="Tell more on standard error; twice for everything.")


def _declared(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_DECLARED):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Where and how captions are written."""

    form: str
    outputs: tuple[str, ...]
    show: Show
    trace: str | None
    """Where the trace goes; None: nothing is recorded."""


@click.command(
    epilog="Each option can also be set in the environment as DECALAGE_OPTION, or in the config file."
)
@click.argument("given", metavar="INPUT")
@_declared
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=load_config,
    is_eager=True,
    expose_value=False,
    envvar="DECALAGE_CONFIG",
    help="Settings in TOML, keys named as the options.",
)
def translate(
    given: str,
    *,
    form: str,
    outputs: tuple[str, ...],
    show: Show,
    trace: str | None,
    verbose: int,
    **chosen: Any,
) -> int:
    """Translate a file, a URL, or raw PCM16 mono 16 kHz on standard input (-).

    \b
    decalage translate talk.mp4                      captions on screen
    decalage translate talk.mp4 --pace realtime      as they would appear live
    decalage translate talk.mp4 -o talk.jsonl        every event, one a line
    arecord -t raw -f S16_LE -r 16000 | decalage translate - --pace realtime
    """  # noqa: D301 - \b keeps click from filling the lines
    levels = [logging.ERROR, logging.INFO, logging.DEBUG]
    logging.basicConfig(level=levels[min(verbose, 2)], format="%(levelname)s %(name)s: %(message)s")
    settings = Settings(**chosen)
    return run(given, settings, _Outputs(form, outputs, show, trace))


def run(given: str, settings: Settings, outputs: _Outputs) -> int:
    """Caption ``given`` and give the exit code. No output is touched before the models have loaded."""
    blueprint = make_blueprint(settings)
    check_outputs(outputs.outputs)
    if caution := overcommitted(settings):
        click.echo(f"decalage: {caution}", err=True)
    trace = Trace() if outputs.trace is not None else None
    if outputs.trace is not None:
        check_trace(outputs.trace, [given, *outputs.outputs])
    source = open_source(given, settings)
    with ExitStack() as stack:
        runtime = make_runtime(settings, blueprint, trace=trace)
        stack.callback(runtime.close)
        sinks = open_sinks(outputs.form, outputs.outputs, show=outputs.show, live=settings.pace == "realtime")
        for sink in sinks:
            stack.callback(sink.close)
        if trace is not None and outputs.trace is not None:
            stack.callback(write_trace, trace, outputs.trace)
        stream = runtime.run(source, settings.stream_options())
        session = Session(runtime, stream, start_event(settings, blueprint, source.name))
        with session.ladder, _signals(session, hint=_drains_long(settings)) as interrupted:
            summary, lost = _write(session, source, sinks)
    for told in lost if not _on_screen() else []:
        click.echo(f"decalage: {told}", err=True)
    print_summary(summary, sys.stderr)
    if interrupted:
        return INTERRUPTED
    return 1 if lost or summary.damaged else 0


def _drains_long(settings: Settings) -> bool:
    """Whether what has been read by a Ctrl-C takes long enough to wonder, and a person is there to."""
    return settings.pace == "max" and sys.stderr is not None and sys.stderr.isatty()


def _on_screen() -> bool:
    """Whether a person sees the captions, and with them what failed."""
    return sys.stdout is not None and sys.stdout.isatty()


def _write(session: Session, source: AudioSource, sinks: list[Sink]) -> tuple[Summary, list[str]]:
    """Every event to every sink; the summary, which comes last, and each piece of speech that failed."""
    summary: Summary | None = None
    lost: list[str] = []
    with progress(source, shown=sys.stderr.isatty() and not _on_screen()) as bar:
        for event in session:
            for sink in sinks:
                sink.write(event)
            bar(event)
            lost += failures(event)
            summary = event if isinstance(event, Summary) else None
    assert summary is not None  # noqa: S101 - a session ends with it
    return summary, lost


@contextmanager
def _signals(session: Session, *, hint: bool) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and a closed terminal walk down the session's ladder; the list remembers a Ctrl-C."""
    interrupts: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            interrupts.append(number)
            if hint and len(interrupts) == 1:
                os.write(2, _FINISHING)  # a buffered write could be what was interrupted
        session.ladder.descend()

    before = {number: signal.signal(number, interrupt) for number in _STOPPING}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
