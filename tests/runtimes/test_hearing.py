"""What a stream remembers of what was recognized."""

from __future__ import annotations

import numpy as np

from decalage.config import RecognizerOptions
from decalage.runtimes.hearing import Hearing
from decalage.speech import Transcript, Utterance

AUTO = RecognizerOptions(language="auto")


def utterance(index: int, seconds: float, revision: int = 0) -> Utterance:
    samples = np.zeros(round(16_000 * seconds), np.float32)
    return Utterance("s", index, 0, samples, seconds, revision=revision, final=False, paused=True)


def hear(hearing: Hearing, index: int, seconds: float, language: str, revision: int = 0) -> None:
    said = Transcript("…", language, detected=(language, 1.0))
    hearing.heard(utterance(index, seconds, revision), said)


def test_speech_is_evidence_once_however_often_it_is_heard() -> None:
    hearing = Hearing()
    for revision in range(5):
        hear(hearing, 0, 1.0, "pt", revision)
    assert hearing.options(AUTO).likely is None
    hear(hearing, 0, 2.0, "pt", 5)
    assert hearing.options(AUTO).likely == "pt"
    hear(hearing, 1, 2.0, "en")
    hear(hearing, 1, 2.0, "en", 1)
    assert hearing.options(AUTO).likely == "pt"
    hear(hearing, 2, 1.5, "en")
    assert hearing.options(AUTO).likely == "en"


def test_a_named_language_stays() -> None:
    hearing, wanted = Hearing(), RecognizerOptions(language="pt")
    hearing.heard(utterance(0, 9.0), Transcript("…", "pt"))
    assert hearing.options(wanted) == wanted


def test_the_draft_of_an_utterance_is_its_newest_revision_that_was_heard() -> None:
    hearing = Hearing()
    first, second = Transcript("one", "en"), Transcript("one two", "en")
    hearing.heard(utterance(0, 1.0, 0), first)
    hearing.heard(utterance(0, 2.0, 2), second)
    hearing.heard(utterance(0, 1.5, 1), first)
    assert hearing.draft(utterance(0, 3.0, 3)) is second
    assert hearing.draft(utterance(1, 1.0)) is None
