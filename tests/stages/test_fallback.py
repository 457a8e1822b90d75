"""Which of two recognizers is asked, and what each is told of the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decalage.app.compose import make_blueprint
from decalage.app.settings import Settings
from decalage.config import RecognizerOptions
from decalage.errors import UsageError
from decalage.speech import Rejection, Transcript, Utterance
from decalage.stages.fallback import FallbackRecognizer

UTTERANCE = Utterance("s", 0, 0, np.zeros(16_000, np.float32), 1.0)
DRAFT = Transcript("so far", "en", tokens=(1, 2))


class Named:
    """Says its name, and what draft it was given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        if utterance.index:
            return Rejection("no-speech")
        return Transcript(
            f"{self.name}, draft {draft.text if draft else 'none'}", options.language, tokens=(7,)
        )


def both(options: RecognizerOptions, utterance: Utterance = UTTERANCE) -> Transcript | Rejection:
    return FallbackRecognizer(Named("main"), Named("lighter")).recognize(utterance, options, DRAFT)


def test_the_smaller_model_hears_what_it_is_asked_to_and_nothing_of_the_other() -> None:
    plain, light = both(RecognizerOptions()), both(RecognizerOptions(lighter=True))
    assert plain == Transcript("main, draft so far", "en", tokens=(7,))
    assert light == Transcript("lighter, draft none", "en", tokens=())


def test_a_rejection_of_either_stands() -> None:
    for options in (RecognizerOptions(), RecognizerOptions(lighter=True)):
        assert both(options, replace(UTTERANCE, index=1)) == Rejection("no-speech")


def test_a_smaller_model_that_does_not_hear_the_language_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model tiny\.en does not hear 'pt'"):
        make_blueprint(Settings(source="pt", targets=("en",), fallback_model="tiny.en", offline=True))


@pytest.mark.real
def test_two_real_models_recognize_side_by_side() -> None:
    from decalage.sources.file import FileSource  # noqa: PLC0415 - loads FFmpeg
    from tests.app.test_cli import ASK_NOT  # noqa: PLC0415

    blueprint = make_blueprint(Settings(fallback_model="tiny.en", offline=True))
    recognizer = blueprint.recognizer(1)
    sound = np.concatenate([chunk.samples for chunk in FileSource(str(ASK_NOT))])[: 16_000 * 11]
    heard = {}
    for lighter in (False, True):
        outcome = recognizer.recognize(
            Utterance("s", 0, 0, sound, 11.0), RecognizerOptions(lighter=lighter), None
        )
        assert isinstance(outcome, Transcript)
        heard[lighter] = outcome
    assert all("country" in transcript.text for transcript in heard.values())
    assert heard[False].tokens
    assert heard[True].tokens == ()
