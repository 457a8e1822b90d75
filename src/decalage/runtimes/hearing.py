"""What was recognized in a stream so far, as far as it helps with what comes."""

from __future__ import annotations

import threading
from dataclasses import replace

from decalage.config import RecognizerOptions
from decalage.flow.language import LanguageLock
from decalage.speech import Transcript, Utterance


class Hearing:
    """Of one stream; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._language = LanguageLock()
        self._counted = (-1, 0.0)  # newest index in the language's evidence, and seconds of it
        self._newest: tuple[Utterance, Transcript] | None = None

    def options(self, wanted: RecognizerOptions) -> RecognizerOptions:
        """How the next utterance is recognized: as ``wanted``, with the language so far, if any was told."""
        with self._lock:
            likely = self._language.language
        return wanted if likely is None else replace(wanted, likely=likely)

    def draft(self, utterance: Utterance) -> Transcript | None:
        """What the newest revision of ``utterance`` that was recognized says."""
        with self._lock:
            if self._newest is None or self._newest[0].index != utterance.index:
                return None
            return self._newest[1]

    def heard(self, utterance: Utterance, transcript: Transcript) -> None:
        """``utterance`` says ``transcript``."""
        with self._lock:
            if transcript.detected is not None and not utterance.sketch:
                self._weigh(utterance, *transcript.detected)
            if self._newest is None or _order(utterance) > _order(self._newest[0]):
                self._newest = (utterance, transcript)

    def _weigh(self, utterance: Utterance, language: str, probability: float) -> None:
        """Speech is evidence once, however many revisions of it are heard."""
        index, counted_s = self._counted
        fresh_s = utterance.duration - (counted_s if index == utterance.index else 0.0)
        if utterance.index >= index and fresh_s > 0:
            self._language.heard(language, probability, fresh_s)
            self._counted = (utterance.index, utterance.duration)


def _order(utterance: Utterance) -> tuple[int, int]:
    return utterance.index, utterance.revision
