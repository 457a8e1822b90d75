"""A run from a source to its outputs: what the commands that caption something share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from types import FrameType
from typing import Any

import click

from decalage.app.compose import make_blueprint, make_runtime, start_event, stream_options
from decalage.app.journaled import Keeping, Unkept
from decalage.app.outputs import check_languages, check_outputs, open_sinks, open_speech
from decalage.app.progress import progress
from decalage.app.session import Session, failures
from decalage.app.settings import Settings, overcommitted, unheard_terms
from decalage.app.stopping import catch
from decalage.app.tally import spread
from decalage.app.tracefile import check_trace, write_trace
from decalage.contracts import AudioSource, Sink
from decalage.errors import OutputError
from decalage.events import Event, Summary
from decalage.flow.trace import Trace
from decalage.sinks.captions import Show
from decalage.sinks.speech import SpokenSink
from decalage.sinks.summary import print_summary
from decalage.sinks.together import Complaints, Together

INTERRUPTED = 130

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
    keeping: Keeping | None = None,
) -> int:
    """Caption what ``open_input`` gives, ``given`` by name, and return the exit code.

    No output is touched before the models have loaded. ``status`` is what stands below the captions,
    ``keeping`` what goes along with the run beside its outputs.
    """
    with _Signals(hint=_drains_long(settings)) as signals:
        return _caption(open_input, settings, outputs, signals, given, status, keeping or Unkept())


def _caption(
    open_input: Callable[[], AudioSource],
    settings: Settings,
    outputs: Outputs,
    signals: _Signals,
    given: str,
    status: Callable[[], str] | None,
    keeping: Keeping,
) -> int:
    blueprint = keeping.stages(make_blueprint(settings))
    trace = _checked(settings, outputs, given)
    with ExitStack() as stack:
        stack.callback(keeping.close)
        speech = _speech(settings, outputs, stack)
        source = open_input()
        stack.callback(source.stop)
        runtime = make_runtime(settings, blueprint, trace=trace)
        stack.callback(runtime.close)
        start = start_event(settings, blueprint, source.name, runtime.options.workers)
        heard, options = keeping.begin(source, start, stream_options(settings, blueprint))
        opened = _opened(settings, outputs, given, status)
        incomplete = Complaints(tell)
        sinks: list[Sink] = [Together(opened, incomplete), *([] if speech is None else [speech])]
        stack.callback(sinks[0].close)
        if trace is not None and outputs.trace is not None:
            stack.callback(_write_trace, trace, outputs.trace, incomplete)
        stream = runtime.run(heard, options)
        also_stop = None if speech is None else speech.stop
        session = Session(runtime, stream, start, also_stop=also_stop, before_close=keeping.leave)
        with session.ladder:
            signals.walk(session)
            summary, lost = _write(keeping.told(session), source, sinks, speech)
            for sink in sinks:
                sink.close()
        signals.let_go()
    unread = [] if speech is None else speech.complaints()
    for told in [*([] if _on_screen() else lost), *unread]:
        tell(told)
    print_summary(summary, sys.stderr)
    if signals.interrupted:
        return INTERRUPTED
    return 1 if lost or unread or incomplete.any or summary.damaged or summary.breach else 0


def tell(message: str) -> None:
    """A line on standard error."""
    click.echo(f"decalage: {message}", err=True)


def _write_trace(trace: Trace, path: str, incomplete: Complaints) -> None:
    try:
        write_trace(trace, path)
    except OutputError as error:
        incomplete(str(error))


def _checked(settings: Settings, outputs: Outputs, given: str) -> Trace | None:
    """Refuse outputs that cannot be, tell cautions, and give the trace if one is asked for."""
    check_languages(outputs.outputs, settings.source, settings.targets)
    check_outputs(outputs.outputs, given)
    for caution in filter(None, (overcommitted(settings), unheard_terms(settings))):
        tell(caution)
    if outputs.trace is None:
        return None
    check_trace(outputs.trace, [given, *outputs.outputs])
    return Trace()


def _opened(settings: Settings, outputs: Outputs, given: str, status: Callable[[], str] | None) -> list[Sink]:
    """Where the captions go."""
    return open_sinks(
        outputs.form,
        outputs.outputs,
        show=outputs.show,
        live=settings.pace == "realtime",
        given=given,
        status=status,
        targets=settings.stream_options().targets,
    )


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
    events: Iterable[Event], source: AudioSource, sinks: list[Sink], speech: SpokenSink | None
) -> tuple[Summary, list[str]]:
    """Every event to every sink; the summary, which comes last, and each piece of speech that failed.

    The summary waits until all has been read aloud.
    """
    summary: Summary | None = None
    lost: list[str] = []
    shown = sys.stderr is not None and sys.stderr.isatty() and not _on_screen()
    with progress(source, shown=shown) as bar:
        for event in events:
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


class _Signals:
    """Ctrl-C, SIGTERM and a closed terminal walk down the session's ladder; before it they do what they did.

    One that this program was started to ignore stays ignored.

    When all is written only Ctrl-C does what it did: a second SIGTERM has nothing to hurry any more.
    """

    def __init__(self, *, hint: bool) -> None:
        """``hint``: the first Ctrl-C is told that it takes a while."""
        self.interrupted = False
        self._hint = hint
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._before):
            self._restore(number)

    def let_go(self) -> None:
        """All is written."""
        self._restore(signal.SIGINT)

    def _restore(self, number: int) -> None:
        if number in self._before:
            signal.signal(number, self._before.pop(number))

    def walk(self, session: Session) -> None:
        """From now on they stop ``session``."""

        def interrupt(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGINT:
                if self._hint and not self.interrupted:
                    os.write(2, _FINISHING)  # a buffered write could be what was interrupted
                self.interrupted = True
            session.ladder.descend()

        self._before = catch(interrupt)
