"""Two recognizers, the smaller one for when the machine is too slow."""

from __future__ import annotations

from dataclasses import replace

from decalage.config import RecognizerOptions
from decalage.contracts import Recognizer
from decalage.speech import Rejection, Transcript, Utterance


class FallbackRecognizer:
    """``lighter`` recognizes what is asked for with ``RecognizerOptions.lighter``, ``main`` all else.

    Implements ``contracts.Recognizer``. Neither gets a draft of the other: their vocabularies differ.
    """

    def __init__(self, main: Recognizer, lighter: Recognizer) -> None:
        self._main = main
        self._lighter = lighter

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        if not options.lighter:
            return self._main.recognize(utterance, options, draft)
        outcome = self._lighter.recognize(utterance, options)
        return outcome if isinstance(outcome, Rejection) else replace(outcome, tokens=())
