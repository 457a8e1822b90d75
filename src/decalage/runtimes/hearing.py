"""What was recognized in a stream so far, as far as it helps with what comes."""

from __future__ import annotations

import threading
from dataclasses import replace

from decalage.config import RecognizerOptions
from decalage.flow.language import LanguageLock
from decalage.speech import Transcript, Utterance


class Hearing:
    """Of one stream; from any thread."""

    def __init__(self, options: RecognizerOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._language = LanguageLock()
        self._newest: tuple[Utterance, Transcript] | None = None

    def options(self) -> RecognizerOptions:
        """How the next utterance is recognized: with the language so far, where nobody named it."""
        with self._lock:
            likely = self._language.language
        return self._options if likely is None else replace(self._options, likely=likely)

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
                self._language.heard(*transcript.detected, utterance.duration)
            if self._newest is None or _order(utterance) > _order(self._newest[0]):
                self._newest = (utterance, transcript)


def _order(utterance: Utterance) -> tuple[int, int]:
    return utterance.index, utterance.revision
