"""Puts the parts together: the only module that knows every stage, source, sink, store and runtime."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from decalage.app.directions import Directions, find_directions
from decalage.app.machine import Machine, has_gpu, look
from decalage.app.memory import check_memory, check_node
from decalage.app.nodes import NodeBlueprint
from decalage.app.settings import AUTO, Settings
from decalage.clock import SystemClock
from decalage.config import Engine, SegmenterOptions, StreamOptions
from decalage.contracts import AudioSource, Recognizer, Segmenter, StageBlueprint, Translator
from decalage.errors import InputError, MissingPartError, UsageError
from decalage.events import Start
from decalage.flow.trace import Trace
from decalage.runtimes.event_loop import AsyncioRuntime
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.runtimes.pool import PoolRuntime
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.ray_cluster import library
from decalage.runtimes.ray_runtime import RayRuntime
from decalage.runtimes.sequential import SequentialRuntime
from decalage.sources.file import FileSource, is_url
from decalage.sources.microphone import MicrophoneSource
from decalage.sources.pace import Limited, Paced
from decalage.sources.pcm import PcmSource
from decalage.sources.portaudio import find_device
from decalage.sources.url import UrlSource
from decalage.stages.decode import WhisperEngine
from decalage.stages.fallback import FallbackRecognizer
from decalage.stages.firefox import FirefoxTranslator
from decalage.stages.marian import MarianTranslator
from decalage.stages.segmenter import VadSegmenter
from decalage.stages.thorough import ThoroughRecognizer
from decalage.stages.translators import Translators
from decalage.stages.vad import SileroModel
from decalage.stages.whisper import WhisperRecognizer
from decalage.stages.whisper_ctranslate2 import CTranslate2Whisper
from decalage.stages.whisper_onnx import OnnxWhisper
from decalage.store.models import find_recognizer, find_translator, recognizer_languages
from decalage.store.quantized import find_quantized
from decalage.store.weights import UnreadableWeightsError

logger = logging.getLogger(__name__)

RUNTIMES: Mapping[str, type[LocalRuntime]] = MappingProxyType(
    {
        runtime.name: runtime
        for runtime in (
            *(SequentialRuntime, PipelineRuntime, PoolRuntime, ProcessesRuntime, AsyncioRuntime),
            RayRuntime,
        )
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
    fallback_path: Path | None = None
    """A smaller recognizer; None: there is none."""
    fallback_quantized_path: Path | None = None

    @property
    def engine(self) -> Engine:
        """What runs the recognizer."""
        return "ctranslate2" if self.quantized_path is None else "onnxruntime"

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        return VadSegmenter(stream, shared_vad().detector(), options)

    def recognizer(self, concurrency: int) -> Recognizer:
        main = self._whisper(self.recognizer_path, self.quantized_path, concurrency)
        if self.fallback_path is None:
            return main
        lighter = self._whisper(self.fallback_path, self.fallback_quantized_path, concurrency)
        return FallbackRecognizer(main, lighter)

    def _whisper(self, path: Path, quantized: Path | None, concurrency: int) -> Recognizer:
        engine: WhisperEngine
        if quantized is not None:
            engine = OnnxWhisper(quantized, threads=self.threads)
        else:
            engine = CTranslate2Whisper(
                path,
                device=self.device,
                compute_type=self.compute_type,
                threads=self.threads,
                concurrency=concurrency,
            )
        return ThoroughRecognizer(WhisperRecognizer(engine, path))

    def translator(self) -> Translator:
        firefox: dict[tuple[str, str], Path] = {}
        others: dict[tuple[str, str], Path] = {}
        for pair, folder in self.directions.items():
            (others if (folder / "model.bin").is_file() else firefox)[pair] = folder
        if not others:
            return FirefoxTranslator(firefox)
        return Translators([*([FirefoxTranslator(firefox)] if firefox else []), MarianTranslator(others)])


@cache
def shared_vad() -> SileroModel:
    """The VAD model of this process: two megabytes, no state of its own."""
    return SileroModel()


def stream_options(settings: Settings, blueprint: ModelBlueprint) -> StreamOptions:
    """The settings of a stream, with the ways of translation that ``blueprint`` has."""
    options = settings.stream_options()
    directions = frozenset(blueprint.directions)
    direct = options.source != AUTO and all(
        target == options.source or (options.source, target) in directions for target in options.targets
    )
    recognizer = replace(options.recognizer, english=not direct)
    return replace(options, directions=directions, recognizer=recognizer)


def check_runtime(settings: Settings) -> None:
    """Whether there is what the runtime itself needs, for who makes files before it. Raises as it would."""
    if settings.runtime == "ray":
        library(settings.address)


def make_runtime(
    settings: Settings, blueprint: ModelBlueprint, *, trace: Trace | None = None
) -> LocalRuntime:
    """A runtime with its models loaded. Raises ``MissingPartError`` for one that does not load."""
    stages: StageBlueprint = blueprint
    if settings.runtime == "ray":
        asked = replace(settings, workers=settings.parallelism()[0], threads=blueprint.threads)
        stages = NodeBlueprint(
            blueprint,
            partial(_found_again, asked, blueprint.engine, tuple(blueprint.directions)),
            partial(_check_node, asked),
        )
    runtime = RUNTIMES[settings.runtime](stages, settings.runtime_options(), trace=trace)
    shape = f"{runtime.options.workers} recognizers with {blueprint.threads} threads each"
    logger.info("%s on %s, %s: %s", settings.model, blueprint.engine, settings.runtime, shape)
    return runtime


def make_blueprint(
    settings: Settings, machine: Machine | None = None, *, directions: Directions | None = None
) -> ModelBlueprint:
    """Checks all of ``settings`` and finds the models they ask for, without loading them.

    Settings that ``machine``, this one by default, has no memory for are refused too. ``directions``:
    the ways of translation, where they are not to be those of the settings' languages alone.
    Raises ``UnsupportedPairError``, ``UsageError`` and ``MissingPartError``.
    """
    if settings.runtime not in RUNTIMES:
        raise UsageError(f"no runtime {settings.runtime!r}; there are {', '.join(RUNTIMES)}")
    options = settings.stream_options()
    path, known = _heard_by(settings.model, options.source, offline=settings.offline)
    fallback = None
    if settings.fallback_model is not None:
        fallback, _ = _heard_by(settings.fallback_model, options.source, offline=settings.offline)
    if directions is None:
        directions = find_directions(options.source, options.targets, hears_others=len(known) > 1)
    check_memory(settings, path, machine or look(), directions.values(), fallback)
    return ModelBlueprint(
        recognizer_path=path,
        quantized_path=_quantized(settings, path),
        directions=directions,
        threads=settings.parallelism()[1],
        device=settings.device,
        compute_type=settings.compute_type,
        fallback_path=fallback,
        fallback_quantized_path=None if fallback is None else _quantized(settings, fallback),
    )


def _found_again(settings: Settings, engine: Engine, pairs: Sequence[tuple[str, str]]) -> ModelBlueprint:
    """The blueprint that another machine has made, on this one: by the names of its models.

    With the same engine, so that texts are the same. Raises as ``make_blueprint``.
    """
    if engine == "onnxruntime":
        settings = replace(settings, device="cpu")
    directions = {pair: find_translator(*pair) for pair in pairs}
    return make_blueprint(replace(settings, engine=engine), directions=directions)


def _check_node(settings: Settings, blueprint: ModelBlueprint, workers: int) -> None:
    """``check_node`` where a cluster of other machines works; this program's own was asked before."""
    if settings.address is not None:
        own = replace(settings, workers=workers)
        check_node(own, blueprint.recognizer_path, look(), blueprint.fallback_path)


def _heard_by(model: str, source: str, *, offline: bool) -> tuple[Path, Sequence[str]]:
    """Where ``model`` is and which languages it hears. Raises ``UsageError`` where not ``source``."""
    path = find_recognizer(model, offline=offline)
    known = recognizer_languages(path)
    if source == AUTO and len(known) == 1:
        raise UsageError(f"model {model} hears {known[0]} only: --from auto is of no use with it")
    if source not in (AUTO, *known):
        heard = ", ".join(known) if len(known) < 10 else f"{len(known)} others"
        raise UsageError(f"model {model} does not hear {source!r}; it hears {heard}")
    return path, known


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
    except MissingPartError as error:
        logger.warning("%s runs on CTranslate2, which is slower: %s", model.name, error)
        return None


def _unfit(settings: Settings) -> str | None:
    """What of ``settings`` ONNX Runtime does not do."""
    if settings.beam != 1:
        return f"--beam {settings.beam}"
    if settings.compute_type not in ("auto", "int8"):
        return f"--compute-type {settings.compute_type}"
    # A node's GPU is for who asks for it: with ``auto`` all nodes do the same.
    if settings.device == "cuda" or (settings.device == "auto" and settings.runtime != "ray" and has_gpu()):
        return "--device cuda" if settings.device == "cuda" else "a GPU"
    return None


def open_source(given: str, settings: Settings, stdin: BinaryIO | None = None) -> AudioSource:
    """The source named on the command line; ``-`` is raw PCM on ``stdin``. Raises ``InputError``."""
    source: AudioSource
    if given != "-":
        source = UrlSource(given) if is_url(given) else FileSource(given)
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


def start_event(settings: Settings, blueprint: ModelBlueprint, given: str, workers: int) -> Start:
    """The settings in force, as the first event of a run; ``workers`` that the runtime has."""
    options = settings.stream_options()
    return Start(
        source=options.source,
        targets=options.targets,
        runtime=settings.runtime,
        workers=workers,
        threads=blueprint.threads,
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
