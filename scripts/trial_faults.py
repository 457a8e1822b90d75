"""Engines that fail on purpose: a blueprint around the real one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.contracts import Recognizer, Segmenter, StageBlueprint, Translator
from decalage.errors import EngineError
from decalage.speech import Cut, Rejection, Transcript, Translation, Utterance

How: TypeAlias = Literal["error", "foreign error", "no memory", "panic", "late"]
HOW: Sequence[How] = ("error", "foreign error", "no memory", "panic", "late")
Where: TypeAlias = Literal["vad", "asr", "mt", "load"]


class Panic(BaseException):
    """What native code raises when it gives up."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, where, and on which utterance. Picklable."""

    where: Where
    how: How
    index: int = 0
    """Of the utterance that is recognized."""
    text: str = ""
    """What the recognizer hears in it: by that the translator knows it."""
    sample: int = 0
    """The segmenter fails when it comes here."""
    late_s: float = 0.0

    def strike(self) -> None:
        """Raise, or wait."""
        if self.how == "late":
            threading.Event().wait(self.late_s)
            return
        errors: dict[str, BaseException] = {
            "error": EngineError("by trial"),
            "foreign error": ValueError("by trial"),
            "no memory": MemoryError("by trial"),
            "panic": Panic("by trial"),
        }
        raise errors[self.how]


@dataclass(frozen=True)
class FaultyBlueprint:
    """``inner``, with ``fault`` in it. Picklable."""

    inner: StageBlueprint
    fault: Fault

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        segmenter = self.inner.segmenter(stream, options)
        return FaultySegmenter(segmenter, self.fault) if self.fault.where == "vad" else segmenter

    def recognizer(self, concurrency: int) -> Recognizer:
        if self.fault.where == "load":
            self.fault.strike()
        recognizer = self.inner.recognizer(concurrency)
        return FaultyRecognizer(recognizer, self.fault) if self.fault.where == "asr" else recognizer

    def translator(self) -> Translator:
        translator = self.inner.translator()
        return FaultyTranslator(translator, self.fault) if self.fault.where == "mt" else translator


class FaultySegmenter:
    """Fails once, at the sample."""

    def __init__(self, inner: Segmenter, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault
        self._struck = False

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        if not self._struck and chunk.first + len(chunk.samples) > self._fault.sample:
            self._struck = True
            self._fault.strike()
        return self._inner.feed(chunk)

    def flush(self) -> list[Cut]:
        return self._inner.flush()

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        return self._inner.miss(first, length, captured=captured)

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        self._inner.hint(index, revision, transcript)

    def finish(self) -> list[Cut]:
        return self._inner.finish()


class FaultyRecognizer:
    """Fails on every revision of one utterance."""

    def __init__(self, inner: Recognizer, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        if utterance.index == self._fault.index:
            self._fault.strike()
        return self._inner.recognize(utterance, options, draft)


class FaultyTranslator:
    """Fails on one text."""

    def __init__(self, inner: Translator, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        if text == self._fault.text:
            self._fault.strike()
        return self._inner.translate(text, source=source, target=target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return self._inner.pairs()
