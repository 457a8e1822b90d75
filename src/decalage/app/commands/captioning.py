"""A run from a source to its outputs: what the commands that caption something share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from types import FrameType
from typing import Any

import click

from decalage.app.compose import make_blueprint, make_runtime, start_event, stream_options
from decalage.app.outputs import check_outputs, open_sinks, open_speech
from decalage.app.progress import progress
from decalage.app.session import Session, failures
from decalage.app.settings import Settings, overcommitted, unheard_terms
from decalage.app.tally import spread
from decalage.app.tracefile import check_trace, write_trace
from decalage.contracts import AudioSource, Sink
from decalage.events import Summary
from decalage.flow.trace import Trace
from decalage.sinks.captions import Show
from decalage.sinks.speech import SpokenSink
from decalage.sinks.summary import print_summary

INTERRUPTED = 130

_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP
_FINISHING = b"\ndecalage: finishing what was read; Ctrl-C again ends at once\n"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where and how captions are written."""

    form: str
    outputs: tuple[str, ...]
    show: Show | None
    trace: str | None
    """Where the trace goes; None: nothing is recorded."""
    speak: bool = False
    """Whether the first target is read aloud."""
    voice: str | None = None
    """By which voice; None: one that is there."""

    @classmethod
    def taken(cls, chosen: dict[str, Any]) -> Outputs:
        """Out of the options of a command, which then holds the settings."""
        return cls(**{field.name: chosen.pop(field.name) for field in fields(cls)})


def caption(
    open_input: Callable[[], AudioSource],
    settings: Settings,
    outputs: Outputs,
    *,
    given: str,
    status: Callable[[], str] | None = None,
) -> int:
    """Caption what ``open_input`` gives, ``given`` by name, and return the exit code.

    No output is touched before the models have loaded. ``status`` is what stands below the captions.
    """
    blueprint = make_blueprint(settings)
    trace = _checked(settings, outputs, given)
    with ExitStack() as stack:
        speech = _speech(settings, outputs, stack)
        source = open_input()
        stack.callback(source.stop)
        runtime = make_runtime(settings, blueprint, trace=trace)
        stack.callback(runtime.close)
        live = settings.pace == "realtime"
        sinks = open_sinks(
            outputs.form, outputs.outputs, show=outputs.show, live=live, given=given, status=status
        )
        for sink in sinks:
            stack.callback(sink.close)
        if speech is not None:
            sinks.append(speech)
        if trace is not None and outputs.trace is not None:
            stack.callback(write_trace, trace, outputs.trace)
        stream = runtime.run(source, stream_options(settings, blueprint))
        session = Session(
            runtime,
            stream,
            start_event(settings, blueprint, source.name),
            also_stop=None if speech is None else speech.stop,
        )
        with session.ladder, _signals(session, hint=_drains_long(settings)) as interrupted:
            summary, lost = _write(session, source, sinks, speech)
            for sink in sinks:
                sink.close()
    unread = [] if speech is None else speech.complaints()
    for told in [*([] if _on_screen() else lost), *unread]:
        click.echo(f"decalage: {told}", err=True)
    print_summary(summary, sys.stderr)
    if interrupted:
        return INTERRUPTED
    return 1 if lost or unread or summary.damaged else 0


def _checked(settings: Settings, outputs: Outputs, given: str) -> Trace | None:
    """Refuse outputs that cannot be, tell cautions, and give the trace if one is asked for."""
    check_outputs(outputs.outputs, given)
    for caution in filter(None, (overcommitted(settings), unheard_terms(settings))):
        click.echo(f"decalage: {caution}", err=True)
    if outputs.trace is None:
        return None
    check_trace(outputs.trace, [given, *outputs.outputs])
    return Trace()


def _speech(settings: Settings, outputs: Outputs, stack: ExitStack) -> SpokenSink | None:
    """What reads aloud, if asked for; when ``stack`` unwinds early nothing is read on."""
    if not outputs.speak:
        return None
    language = settings.stream_options().targets[0]
    speech = open_speech(language, outputs.voice, waits=settings.pace == "max")
    stack.callback(speech.close)
    stack.callback(speech.stop)
    return speech


def _drains_long(settings: Settings) -> bool:
    """Whether what has been read by a Ctrl-C takes long enough to wonder, and a person is there to."""
    return settings.pace == "max" and sys.stderr is not None and sys.stderr.isatty()


def _on_screen() -> bool:
    """Whether a person sees the captions, and with them what failed."""
    return sys.stdout is not None and sys.stdout.isatty()


def _write(
    session: Session, source: AudioSource, sinks: list[Sink], speech: SpokenSink | None
) -> tuple[Summary, list[str]]:
    """Every event to every sink; the summary, which comes last, and each piece of speech that failed.

    The summary waits until all has been read aloud.
    """
    summary: Summary | None = None
    lost: list[str] = []
    with progress(source, shown=sys.stderr.isatty() and not _on_screen()) as bar:
        for event in session:
            if isinstance(event, Summary) and speech is not None:
                speech.close()
                event = replace(event, voice_lag=spread(speech.spoken.voice_lag))  # noqa: PLW2901
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
