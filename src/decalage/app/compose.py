"""Puts the parts together: the only module that knows every stage, source, sink, store and runtime."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from rich.console import Console

from decalage.app.machine import Machine, has_gpu, look
from decalage.app.memory import check_memory
from decalage.app.settings import Settings
from decalage.clock import SystemClock
from decalage.config import Engine, SegmenterOptions
from decalage.contracts import AudioSource, Recognizer, Segmenter, Sink, Translator
from decalage.errors import InputError, OutputError, UsageError
from decalage.events import Start
from decalage.flow.trace import Trace
from decalage.languages import primary
from decalage.runtimes.event_loop import AsyncioRuntime
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.runtimes.pool import PoolRuntime
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.sequential import SequentialRuntime
from decalage.sinks.captions import Show
from decalage.sinks.jsonl import JsonlSink
from decalage.sinks.output import TextOutput, check_writable
from decalage.sinks.subtitles import FORMS, SubtitleSink
from decalage.sinks.terminal import TerminalSink
from decalage.sinks.text import PlainTextSink
from decalage.sources.file import FileSource
from decalage.sources.microphone import MicrophoneSource
from decalage.sources.pace import Limited, Paced
from decalage.sources.pcm import PcmSource
from decalage.sources.portaudio import find_device
from decalage.stages.decode import WhisperEngine
from decalage.stages.firefox import FirefoxTranslator
from decalage.stages.segmenter import VadSegmenter
from decalage.stages.vad import SileroModel
from decalage.stages.whisper import WhisperRecognizer
from decalage.stages.whisper_ctranslate2 import CTranslate2Whisper
from decalage.stages.whisper_onnx import OnnxWhisper
from decalage.store.models import find_recognizer, find_translator, recognizer_languages
from decalage.store.quantized import find_quantized
from decalage.store.weights import UnreadableWeightsError

logger = logging.getLogger(__name__)

WRITTEN = ("jsonl", "txt", *FORMS)
"""Extensions of files that captions can be written to."""

RUNTIMES: Mapping[str, type[LocalRuntime]] = MappingProxyType(
    {
        runtime.name: runtime
        for runtime in (SequentialRuntime, PipelineRuntime, PoolRuntime, ProcessesRuntime, AsyncioRuntime)
    }
)


@dataclass(frozen=True)
class ModelBlueprint:
    """Builds the real stages from paths and numbers; picklable, the VAD model is loaded on first use."""

    recognizer_path: Path
    quantized_path: Path | None
    """The same model prepared for ONNX Runtime; None: it runs on CTranslate2."""
    directions: Mapping[tuple[str, str], Path]
    threads: int
    device: str
    compute_type: str

    @property
    def engine(self) -> Engine:
        """What runs the recognizer."""
        return "ctranslate2" if self.quantized_path is None else "onnxruntime"

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        return VadSegmenter(stream, shared_vad().detector(), options)

    def recognizer(self, concurrency: int) -> Recognizer:
        engine: WhisperEngine
        if self.quantized_path is not None:
            engine = OnnxWhisper(self.quantized_path, threads=self.threads)
        else:
            engine = CTranslate2Whisper(
                self.recognizer_path,
                device=self.device,
                compute_type=self.compute_type,
                threads=self.threads,
                concurrency=concurrency,
            )
        return WhisperRecognizer(engine, self.recognizer_path)

    def translator(self) -> Translator:
        return FirefoxTranslator(self.directions)


@cache
def shared_vad() -> SileroModel:
    """The VAD model of this process: two megabytes, no state of its own."""
    return SileroModel()


def make_runtime(
    settings: Settings, blueprint: ModelBlueprint, *, trace: Trace | None = None
) -> LocalRuntime:
    """A runtime with its models loaded. Raises ``MissingPartError`` for one that does not load."""
    runtime = RUNTIMES[settings.runtime](blueprint, settings.runtime_options(), trace=trace)
    logger.info("%r: %s on %s, %d threads each", runtime, settings.model, blueprint.engine, blueprint.threads)
    return runtime


def make_blueprint(settings: Settings, machine: Machine | None = None) -> ModelBlueprint:
    """Checks all of ``settings`` and finds the models they ask for, without loading them.

    Settings that ``machine``, this one by default, has no memory for are refused too.
    Raises ``UnsupportedPairError``, ``UsageError`` and ``MissingPartError``.
    """
    if settings.runtime not in RUNTIMES:
        raise UsageError(f"no runtime {settings.runtime!r}; there are {', '.join(RUNTIMES)}")
    options = settings.stream_options()
    directions = {}
    for target in options.targets:
        if target != options.source:
            directions[options.source, target] = find_translator(options.source, target)
    path = find_recognizer(settings.model, offline=settings.offline)
    known = recognizer_languages(path)
    if options.source not in known:
        heard = ", ".join(known) if len(known) < 10 else f"{len(known)} others"
        raise UsageError(f"model {settings.model} does not hear {options.source!r}; it hears {heard}")
    check_memory(settings, path, machine or look())
    return ModelBlueprint(
        recognizer_path=path,
        quantized_path=_quantized(settings, path),
        directions=directions,
        threads=settings.parallelism()[1],
        device=settings.device,
        compute_type=settings.compute_type,
    )


def _quantized(settings: Settings, model: Path) -> Path | None:
    """``model`` for ONNX Runtime, where the settings are for it. Raises as ``make_blueprint``."""
    unfit = _unfit(settings)
    if settings.engine == "onnxruntime":
        if unfit is not None:
            raise UsageError(f"--engine onnxruntime is not for {unfit}; use --engine ctranslate2")
        return find_quantized(model)
    if settings.engine == "ctranslate2" or unfit is not None:
        return None
    try:
        return find_quantized(model)
    except UnreadableWeightsError as error:
        logger.info("%s runs on CTranslate2: %s", model.name, error)
        return None


def _unfit(settings: Settings) -> str | None:
    """What of ``settings`` ONNX Runtime does not do."""
    if settings.beam != 1:
        return f"--beam {settings.beam}"
    if settings.compute_type not in ("auto", "int8"):
        return f"--compute-type {settings.compute_type}"
    if settings.device == "cuda" or (settings.device == "auto" and has_gpu()):
        return "--device cuda" if settings.device == "cuda" else "a GPU"
    return None


def open_source(given: str, settings: Settings, stdin: BinaryIO | None = None) -> AudioSource:
    """The source named on the command line; ``-`` is raw PCM on ``stdin``. Raises ``InputError``."""
    source: AudioSource
    if given != "-":
        source = FileSource(given)
    elif stdin is None and sys.stdin is None:
        raise InputError("standard input is closed; name a file or pipe sound into it")
    else:
        source = PcmSource(stdin or sys.stdin.buffer)
    if settings.duration_s is not None:
        source = Limited(source, settings.duration_s)
    return Paced(source, SystemClock()) if settings.pace == "realtime" else source


def open_microphone(wanted: str | None, settings: Settings) -> tuple[MicrophoneSource, AudioSource]:
    """The input device of that name or number, and what is heard of it within ``settings``.

    Raises ``UsageError`` for a name that fits none, ``MissingPartError`` for one that cannot be opened.
    """
    microphone = MicrophoneSource(find_device(wanted))
    if settings.duration_s is None:
        return microphone, microphone
    return microphone, Limited(microphone, settings.duration_s)


def check_outputs(outputs: Sequence[str]) -> None:
    """Refuse what ``open_sinks`` could not open, before a model loads; touches no file."""
    for path in outputs:
        if path == "-":
            continue
        if path.endswith(("/", os.sep)) or Path(path).is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if Path(path).suffix.lstrip(".") not in WRITTEN:
            known = ", ".join(f".{form}" for form in WRITTEN)
            raise UsageError(f"no format for {path}; {known} can be written")
        check_writable(path)


def open_sinks(
    form: str,
    outputs: Sequence[str],
    *,
    show: Show | None,
    live: bool,
    status: Callable[[], str] | None = None,
) -> list[Sink]:
    """Where captions go: standard output in ``form``, and each path by its extension.

    ``show`` None: both languages on the screen, the target in subtitles.

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
        sinks.append(_written(suffix, TextOutput.to_path(path), show, _language_of(path)))
    return sinks


def tells_words(form: str, outputs: Sequence[str]) -> bool:
    """Whether any of these outputs is better for the time of each word."""
    return any(each in FORMS for each in (form, *(Path(path).suffix.lstrip(".") for path in outputs)))


def _language_of(path: str) -> str | None:
    """The language that a name such as ``talk.pt.srt`` asks for."""
    inner = Path(path).with_suffix("").suffix.lstrip(".")
    try:
        return primary(inner)
    except UsageError:
        return None


def _screen(form: str, *, show: Show | None, live: bool, status: Callable[[], str] | None) -> Sink:
    if form == "text":
        console = Console(highlight=False, soft_wrap=False)
        return TerminalSink(console, show=show or "both", live=live, status=status)
    return _written(form, TextOutput(sys.stdout, "standard output"), show)


def _written(form: str, output: TextOutput, show: Show | None, language: str | None = None) -> Sink:
    """``show`` None: what suits the form."""
    if form == "jsonl":
        return JsonlSink(output)
    if form in FORMS:
        return SubtitleSink(output, form, show or "target", language)
    return PlainTextSink(output, show or "both")


def start_event(settings: Settings, blueprint: ModelBlueprint, given: str) -> Start:
    """The settings in force, as the first event of a run."""
    options = settings.stream_options()
    workers, threads = settings.parallelism()
    return Start(
        source=options.source,
        targets=options.targets,
        runtime=settings.runtime,
        workers=workers,
        threads=threads,
        model=settings.model,
        beam=settings.beam,
        engine=blueprint.engine,
        encoder_window=str(settings.encoder_window),
        end_silence=options.segmenter.end_silence_s,
        partials=options.partials,
        stability=options.stability,
        pace=settings.pace,
        input=given,
    )
