"""OpenAI's own client, and real models: files are heard, and translated, as it expects."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jiwer
import openai
import pytest
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from decalage.app.server.booth import Booth
from decalage.app.server.file_api import file_routes
from decalage.app.server.uploads import FileLimits
from decalage.app.settings import Settings
from decalage.stages.loops import words
from tests.app.file_kit import served
from tests.sources.test_file import decode, encode

pytestmark = pytest.mark.real

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = SAMPLES / "ask-not.flac"
OLD = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""OpenAI gives its translations up in favour of other models; its programs do not change so fast."""


@pytest.fixture(scope="session")
def real_url() -> Iterator[str]:
    booth = Booth(Settings(threads=1, offline=True), languages=("en", "pt"))
    try:
        with served(file_routes(booth, FileLimits())) as url:
            yield f"{url}/v1"
    finally:
        booth.close()


@pytest.fixture
def client(real_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=real_url, api_key="none", max_retries=0) as client:
        yield client


def transcripts() -> dict[str, str]:
    rows = [json.loads(line) for line in (SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()]
    return {row["path"]: row["transcript"] for row in rows}


def wrong(heard: str, reference: str) -> float:
    """Word error rate."""
    return float(jiwer.wer(" ".join(words(reference)), " ".join(words(heard))))


def spoken(subtitles: str) -> str:
    return " ".join(
        line for line in subtitles.splitlines() if not re.fullmatch(r"WEBVTT|\d+|.* --> .*|", line)
    )


@pytest.mark.parametrize("name", sorted(transcripts()))
def test_the_samples_are_heard_with_few_words_wrong(client: openai.OpenAI, name: str) -> None:
    text = client.audio.transcriptions.create(file=SAMPLES / name, model="whisper-1", language="en").text
    assert wrong(text, transcripts()[name]) < 0.1


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_text_and_subtitles_say_the_same(client: openai.OpenAI, form: Any) -> None:
    answer: Any = client.audio.transcriptions.create(
        file=ASK_NOT, model="whisper-1", language="en", response_format=form
    )
    assert isinstance(answer, str)
    assert wrong(answer if form == "text" else spoken(answer), transcripts()["ask-not.flac"]) < 0.1
    stamps = re.findall(r"(\d\d):(\d\d):(\d\d)[.,](\d{3})", answer)
    seconds = [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in stamps]
    assert seconds == sorted(seconds)
    assert bool(seconds) is (form != "text")
    assert max(seconds, default=11) <= 11.1


def test_all_that_a_verbose_answer_promises_is_there(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        file=ASK_NOT,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0.2,
    )
    assert answer.language == "english"  # nobody has said so
    assert answer.duration == pytest.approx(11, abs=0.05)
    assert answer.segments
    assert answer.words
    assert wrong(answer.text, transcripts()["ask-not.flac"]) < 0.1
    assert " ".join(segment.text for segment in answer.segments) == answer.text
    assert " ".join(word.word for word in answer.words) == answer.text
    for number, segment in enumerate(answer.segments):
        strict = type(segment).model_validate(segment.model_dump(), strict=True)
        assert (strict.id, strict.temperature) == (number, 0)
        assert 0 <= segment.start < segment.end <= 11.05
    times = [at for word in answer.words for at in (word.start, word.end)]
    assert times == sorted(times)


def test_words_alone_or_segments_alone_can_be_had(client: openai.OpenAI) -> None:
    create = client.audio.transcriptions.create
    given: dict[str, Any] = {
        "file": ASK_NOT,
        "model": "x",
        "response_format": "verbose_json",
        "language": "en",
    }
    only_words = create(**given, timestamp_granularities=["word"])
    only_segments = create(**given)
    assert only_words.words
    assert only_words.segments is None
    assert only_segments.segments
    assert only_segments.words is None


def test_a_stream_gives_the_text_in_pieces(client: openai.OpenAI) -> None:
    stream = client.audio.transcriptions.create(
        file=SAMPLES / "talk.flac", model="whisper-1", language="en", stream=True
    )
    *deltas, done = list(stream)
    assert len(deltas) > 1
    pieces = [event.delta for event in deltas if isinstance(event, TranscriptionTextDeltaEvent)]
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert "".join(pieces) == done.text
    assert wrong(done.text, transcripts()["talk.flac"]) < 0.1


@OLD
def test_english_is_given_as_it_is_by_translations(client: openai.OpenAI) -> None:
    answer: Any = client.audio.translations.create(
        file=ASK_NOT, model="whisper-1", response_format="verbose_json"
    )
    assert (answer.task, answer.language) == ("translate", "english")
    assert wrong(answer.text, transcripts()["ask-not.flac"]) < 0.1
    assert answer.segments


@OLD
@pytest.mark.speech
def test_portuguese_is_written_as_it_is_spoken_and_translated_to_english(
    client: openai.OpenAI, speech_dir: Path
) -> None:
    file = speech_dir / "audio" / "pt" / "picovoice-criancas.flac"
    heard: Any = client.audio.transcriptions.create(file=file, model="x", response_format="verbose_json")
    assert heard.language == "portuguese"
    assert wrong(heard.text, "Um grupo de crianças está andando em um rio perto da margem do rio.") < 0.35
    translated = client.audio.translations.create(file=file, model="x").text
    reference = "A group of children is walking in a river near the river bank"
    assert len({*words(reference)} & {*words(translated)}) >= 6
    subtitles: Any = client.audio.translations.create(file=file, model="x", response_format="srt")
    assert words(spoken(subtitles)) == words(translated)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.webm", "libopus", 48_000),
        ("a.mp4", "aac", 44_100),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.wav", "pcm_s16le", 16_000),
    ],
)
def test_sound_of_any_usual_kind_is_heard(
    client: openai.OpenAI, tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    path = encode(tmp_path / name, codec, decode(ASK_NOT), rate)
    text = client.audio.transcriptions.create(file=path, model="whisper-1", language="en").text
    assert wrong(text, transcripts()["ask-not.flac"]) < 0.1


def test_errors_are_those_that_the_client_knows(client: openai.OpenAI) -> None:
    create = client.audio.transcriptions.create
    with pytest.raises(openai.BadRequestError, match=r"talk\.wav cannot be opened as sound") as refusal:
        create(file=("talk.wav", b"no sound"), model="x")
    assert (refusal.value.code, refusal.value.param) == ("unreadable_audio", "file")
    with pytest.raises(openai.BadRequestError, match="xx") as refusal:
        create(file=ASK_NOT, model="x", language="xx")
    assert refusal.value.code == "unsupported_language"
    cut = ASK_NOT.read_bytes()[:100_000]
    with pytest.raises(openai.BadRequestError, match=r"cut\.flac is damaged: .* 5\.\d s could") as refusal:
        create(file=("cut.flac", cut), model="x", language="en")
    assert refusal.value.code == "damaged_audio"
    told: list[str] = []
    with pytest.raises(openai.APIError, match=r"cut\.flac is damaged"):
        told.extend(e.type for e in create(file=("cut.flac", cut), model="x", language="en", stream=True))
    assert told
    assert set(told) == {"transcript.text.delta"}


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["base", "whisper-1"]
    assert client.models.retrieve("base").owned_by == "decalage"
    with pytest.raises(openai.NotFoundError, match="there are base, whisper-1"):
        client.models.retrieve("gpt")


def test_several_files_of_an_async_client_are_heard_one_after_another(real_url: str) -> None:
    async def both() -> tuple[str, list[str]]:
        async with openai.AsyncOpenAI(base_url=real_url, api_key="none") as client:

            async def whole() -> str:
                answer = await client.audio.transcriptions.create(file=ASK_NOT, model="x", language="en")
                return answer.text

            async def pieces() -> AsyncIterator[str]:
                stream = await client.audio.transcriptions.create(
                    file=ASK_NOT, model="x", language="en", stream=True
                )
                async for event in stream:
                    if isinstance(event, TranscriptionTextDeltaEvent):
                        yield event.delta

            async def collected() -> list[str]:
                return [piece async for piece in pieces()]

            return await asyncio.gather(whole(), collected())

    text, deltas = asyncio.run(both())
    assert text == "".join(deltas)
    assert wrong(text, transcripts()["ask-not.flac"]) < 0.1


def test_a_file_is_translated_while_it_is_heard(real_url: str) -> None:
    with httpx.Client(timeout=100, trust_env=False) as client:
        answer = client.post(f"{real_url}/translate?from=en&to=pt", content=ASK_NOT.read_bytes())
    start, *events, summary = (json.loads(line) for line in answer.text.splitlines())
    captions = [event for event in events if event["type"] == "caption"]
    assert (start["type"], start["pace"], summary["type"]) == ("start", "max", "summary")
    assert wrong(" ".join(c["text"]["en"] for c in captions), transcripts()["ask-not.flac"]) < 0.1
    assert "americanos" in " ".join(caption["text"]["pt"] for caption in captions)
