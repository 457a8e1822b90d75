"""Where captions go: standard output and files, by form."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from decalage.app.settings import AUTO
from decalage.contracts import Sink
from decalage.errors import OutputError, UsageError
from decalage.events import Event
from decalage.languages import LANGUAGES, primary
from decalage.sinks.captions import Show
from decalage.sinks.console import PipeConsole
from decalage.sinks.jsonl import JsonlSink
from decalage.sinks.output import TextOutput, check_writable
from decalage.sinks.speech import SpokenSink
from decalage.sinks.subtitles import FORMS, SubtitleSink
from decalage.sinks.terminal import TerminalSink
from decalage.sinks.text import PlainTextSink
from decalage.sinks.video import FORM as VIDEO
from decalage.sinks.video import VideoSink, check_recording
from decalage.sinks.voices import LoudSpeaker, PiperVoice, SystemVoice
from decalage.store.voices import find_voice

WRITTEN = ("jsonl", "txt", *FORMS, VIDEO)
"""Extensions of files that captions can be written to."""


def check_outputs(outputs: Sequence[str], given: str) -> None:
    """Refuse what ``open_sinks`` could not open, before a model loads; touches no file.

    ``given``: what is captioned.
    """
    for path in outputs:
        if path == "-":
            continue
        if path.endswith(("/", os.sep)) or Path(path).is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if Path(path).suffix.lstrip(".") not in WRITTEN:
            known = ", ".join(f".{form}" for form in WRITTEN)
            raise UsageError(f"no format for {path}; {known} can be written")
        video = path.endswith(f".{VIDEO}")
        if video and not Path(given).is_file():
            raise UsageError(
                f"{path} is a copy of the input with captions in it, and needs a file as input; write a .srt"
            )
        if video and Path(path).resolve() == Path(given).resolve():
            raise UsageError(f"{path} is what is captioned; write to another name")
        if video:
            check_recording(given)
        check_writable(path, whole=video)


def check_languages(outputs: Sequence[str], source: str, targets: Sequence[str]) -> None:
    """Refuse subtitles named for a language that no caption has, such as ``talk.es.srt`` of Portuguese.

    ``source``: of the speech, ``auto`` where it may be any. Raises ``UsageError``; touches no file.
    """
    if source.lower() == AUTO:
        return
    wanted = tuple(dict.fromkeys(map(primary, targets)))
    spoken = tuple(dict.fromkeys((primary(source), *wanted)))
    for path in outputs:
        language = _language_of(path, spoken) if Path(path).suffix.lstrip(".") in (*FORMS, VIDEO) else None
        if language is not None and language not in spoken:
            raise UsageError(
                f"{path}: {language} is not among the captions ({', '.join(spoken)}): "
                f"add --to {','.join((*wanted, language))}"
            )


def open_sinks(
    form: str,
    outputs: Sequence[str],
    *,
    show: Show | None,
    live: bool,
    given: str = "-",
    status: Callable[[], str] | None = None,
    targets: Collection[str] = (),
) -> list[Sink]:
    """Where captions go: standard output in ``form``, and each path by its extension.

    ``show`` None: both languages on the screen, the target in subtitles. ``given``: what is captioned.
    ``targets``: languages that names of paths may say, besides those that are known.

    With paths given, standard output is written only where a person sees it, or for a path ``-``.
    The paths have passed ``check_outputs``. Raises ``OutputError``.
    """
    forms = {path: Path(path).suffix.lstrip(".") for path in outputs if path != "-"}
    sinks: list[Sink] = []
    if not forms or "-" in outputs or (sys.stdout is not None and sys.stdout.isatty()):
        if sys.stdout is None:
            raise OutputError("standard output is closed; write to a file with -o")
        sinks.append(_screen(form, show=show, live=live, status=status))
    for path, suffix in forms.items():
        language = _language_of(path, targets)
        if suffix == VIDEO:
            sinks.append(VideoSink(path, given, show or "target", language))
        else:
            sinks.append(written_as(suffix, TextOutput.to_path(path), show, language))
    return sinks


def open_speech(language: str, voice: str | None, *, waits: bool) -> SpokenSink:
    """What reads captions in ``language`` aloud, by ``voice``, else one of the cache, else the system's.

    Raises ``UsageError`` for a voice that is not there, ``MissingPartError`` where nothing can be heard.
    """
    model = find_voice(language, voice)
    said_by = SystemVoice(language) if model is None else PiperVoice(model)
    return SpokenSink(said_by, LoudSpeaker(), language, waits=waits)


def tells_words(form: str, outputs: Sequence[str]) -> bool:
    """Whether any of these outputs is better for the time of each word."""
    return any(
        each in (*FORMS, VIDEO) for each in (form, *(Path(path).suffix.lstrip(".") for path in outputs))
    )


def as_text(events: Iterable[Event], form: str, show: Show | None, language: str | None = None) -> str:
    """What ``written_as`` makes of ``events``; of subtitles more than a millisecond a caption."""
    text = io.StringIO()
    sink = written_as(form, TextOutput(text, "a text"), show, language)
    for event in events:
        sink.write(event)
    sink.close()
    return text.getvalue()


def _language_of(path: str, others: Collection[str] = ()) -> str | None:
    """The language that a name such as ``talk.pt.srt`` asks for; in ``talk.new.srt`` there is none.

    ``others``: languages besides those that are known.
    """
    inner = Path(path).with_suffix("").suffix.lstrip(".")
    try:
        language = primary(inner)
    except UsageError:
        return None
    return language if language in LANGUAGES or language in others else None


def _screen(form: str, *, show: Show | None, live: bool, status: Callable[[], str] | None) -> Sink:
    if form == "text":
        console = PipeConsole(highlight=False, soft_wrap=False)
        return TerminalSink(console, show=show or "both", live=live, status=status)
    return written_as(form, TextOutput(sys.stdout, "standard output"), show)


def written_as(form: str, output: TextOutput, show: Show | None, language: str | None = None) -> Sink:
    """What writes ``form`` to ``output``; ``show`` None: what suits the form."""
    if form == "jsonl":
        return JsonlSink(output)
    if form in FORMS:
        return SubtitleSink(output, form, show or "target", language)
    return PlainTextSink(output, show or "both")
