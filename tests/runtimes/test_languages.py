"""Streams whose language nobody named, and translations by way of English, on every runtime."""

from __future__ import annotations

from typing import Any

import pytest

from decalage.config import RecognizerOptions, StreamOptions
from decalage.events import Caption, Failure, LanguageChanged
from decalage.speech import Rejection, Transcript, Utterance
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, speech
from tests.runtimes.kit import RUNTIMES, fed, running, texts

pytestmark = pytest.mark.parametrize("name", RUNTIMES)


class Detecting(FakeRecognizer):
    """Hears words from 50 on as Portuguese, those from 80 on as French; English is told where asked for."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        said = super().recognize(utterance, options, draft)
        assert isinstance(said, Transcript)
        word = self.calls[-1] if len(self.calls) == 1 else int(said.text.split()[-1])
        language = "fr" if word >= 80 else "pt" if word >= 50 else "en"
        english = f"english {word}" if options.english and language != "en" and word != 99 else None
        return Transcript(said.text, language, english=english, detected=(language, 0.99))


def interpreted(name: str, words: list[int], **options: Any) -> list[Any]:
    recognizer = RecognizerOptions(language="auto", english=True)
    with running(name, FakeBlueprint(Detecting()), workers=2) as runtime:
        return fed(runtime.open(StreamOptions(recognizer=recognizer, **options)), speech(words))


BOTH = frozenset({("en", "pt"), ("pt", "en")})


def test_each_change_of_language_is_told_before_its_caption(name: str) -> None:
    events = interpreted(name, [1, 2, 51, 52, 3], targets=("pt", "en"), directions=BOTH)
    changes = [event for event in events if isinstance(event, LanguageChanged)]
    assert [(each.index, each.before, each.language) for each in changes] == [
        (0, None, "en"),
        (2, "en", "pt"),
        (4, "pt", "en"),
    ]
    for change in changes:
        following = events[events.index(change) + 1]
        assert isinstance(following, Caption)
        assert following.index == change.index


def test_a_caption_has_its_own_language_and_every_target_once(name: str) -> None:
    events = interpreted(name, [1, 51], targets=("pt", "en"), directions=BOTH)
    english, portuguese = [event for event in events if isinstance(event, Caption)]
    assert (english.source, dict(english.text)) == ("en", {"en": "word 1", "pt": "pt:word 1"})
    assert (portuguese.source, dict(portuguese.text)) == ("pt", {"pt": "word 51", "en": "en:word 51"})


def test_a_language_without_a_model_goes_through_english(name: str) -> None:
    events = interpreted(name, [81], targets=("pt", "en"), directions=BOTH)
    (caption,) = [event for event in events if isinstance(event, Caption)]
    assert caption.source == "fr"
    assert dict(caption.text) == {"fr": "word 81", "pt": "pt:english 81", "en": "english 81"}


def test_where_no_way_leads_it_is_a_failure_with_the_transcript(name: str) -> None:
    events = interpreted(name, [99], targets=("pt",), directions=BOTH)
    (failure,) = [event for event in events if isinstance(event, Failure)]
    assert failure.stage == "mt"
    assert dict(failure.text) == {"fr": "word 99"}
    assert "fr→pt" in failure.error


def test_a_named_language_is_told_by_no_event(name: str) -> None:
    with running(name) as runtime:
        events = fed(runtime.open(StreamOptions()), speech([1, 2]))
    assert texts(events) == ["word 1", "word 2"]
