"""Which languages a server offers, from the models that are here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from decalage.app.server.booth import Booth, Wish
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, seconds
from decalage.errors import UnsupportedPairError, UsageError
from decalage.events import Caption
from decalage.sources.file import FileSource

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def booth() -> Iterator[Booth]:
    made = Booth(Settings(pace="realtime", offline=True))
    yield made
    made.close()


def test_what_is_offered_can_be_asked_for(booth: Booth) -> None:
    languages = booth.languages()
    assert ["en", "pt"] in languages["pairs"]
    assert ["fr", "pt"] in languages["pairs"]  # by way of Whisper's own English
    assert ["en", "fr"] not in languages["pairs"]
    for pair in languages["pairs"]:
        source, target = str(pair[0]), str(pair[1])  # type: ignore[index]
        assert booth.options(Wish(source=source, targets=(target,))).targets == (target,)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish(source="en", targets=("fr",)), "en to fr; it has en to en, pt"),
        (Wish(source="xx", targets=("pt",)), "does not hear 'xx'"),
        (Wish(source="en", targets=()), "no target"),
        (Wish(source="english", targets=("pt",)), "not a language code"),
    ],
)
def test_what_is_not_is_refused_with_what_is(booth: Booth, wish: Wish, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        booth.options(wish)


def test_a_booth_may_be_held_to_some_languages() -> None:
    booth = Booth(Settings(pace="realtime", offline=True, model="tiny.en", targets=("en",)), ("en",))
    try:
        assert booth.languages() == {"from": ["en"], "to": ["en"], "pairs": [["en", "en"]]}
        with pytest.raises(UnsupportedPairError):
            booth.options(Wish(targets=("pt",)))
        with pytest.raises(UsageError, match="auto"):
            booth.options(Wish(source="auto", targets=("en",)))
    finally:
        booth.close()


def test_streams_of_other_languages_run_over_the_same_models(booth: Booth) -> None:
    chunks = list(FileSource("samples/ask-not.flac"))
    wishes = [Wish(source="en", targets=("pt",)), Wish(source="en", targets=("en",), partials=True)]
    streams = [booth.open(booth.options(wish)) for wish in wishes]
    for chunk in chunks:
        for stream in streams:
            stream.feed(AudioChunk(chunk.first, chunk.samples))
    for stream in streams:
        stream.finish()
    heard = [[event for event in stream if isinstance(event, Caption)] for stream in streams]
    assert [{key for each in captions for key in each.text} for captions in heard] == [{"en", "pt"}, {"en"}]
    assert max(each.end for each in heard[0]) <= seconds(chunks[-1].first + len(chunks[-1].samples))
