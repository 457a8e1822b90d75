"""The Python API, on the real models."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from decalage import AudioChunk, Caption, Interpreter, Settings, Start, Summary
from decalage.errors import DamagedInputError, UnsupportedPairError, UsageError
from decalage.sources.file import FileSource

pytestmark = pytest.mark.real

ASK_NOT = Path(__file__).parents[2] / "samples" / "ask-not.flac"


def test_a_file_gives_captions_in_order_with_both_languages() -> None:
    with Interpreter(source="en", targets=["pt"]) as interpreter:
        captions = list(interpreter.translate(ASK_NOT))
    assert [caption.index for caption in captions] == list(range(len(captions)))
    assert all(caption.text["en"] and caption.text["pt"] for caption in captions)


def test_events_begin_with_start_and_end_with_the_summary() -> None:
    with Interpreter(runtime="sequential", targets=["pt-BR"]) as interpreter:
        events = list(interpreter.events(ASK_NOT))
    assert isinstance(events[0], Start)
    assert isinstance(events[-1], Summary)
    assert events[0].targets == ("pt",)


def test_asyncio_gives_the_same_captions() -> None:
    async def scenario() -> list[Caption]:
        async with Interpreter() as interpreter:
            return [caption async for caption in interpreter.translate_async(ASK_NOT)]

    with Interpreter() as interpreter:
        expected = [caption.text for caption in interpreter.translate(ASK_NOT)]
    assert [caption.text for caption in asyncio.run(scenario())] == expected


def test_leaving_early_stops_the_run_and_the_interpreter_goes_on() -> None:
    with Interpreter() as interpreter:
        for caption in interpreter.translate(ASK_NOT):
            first = caption
            break
        assert next(iter(interpreter.translate(ASK_NOT))).text == first.text


def test_sound_of_ones_own_can_be_fed() -> None:
    samples = np.concatenate([chunk.samples for chunk in FileSource(str(ASK_NOT))])
    with Interpreter(settings=Settings(workers=1, threads=1)) as interpreter:
        stream = interpreter.open()
        stream.feed(AudioChunk(0, samples))
        stream.finish()
        heard = " ".join(event.text["en"] for event in stream if isinstance(event, Caption))
    assert "ask not" in heard.lower()


def test_what_cannot_be_done_is_refused_before_a_model_loads() -> None:
    with pytest.raises(UnsupportedPairError, match="en→pt"):
        Interpreter(targets=["xx"])
    with pytest.raises(UsageError, match="no target"):
        Interpreter(targets=[])
    with pytest.raises(UsageError, match="no model"):
        Interpreter(model="huge")


def test_damage_is_raised_after_the_last_caption(tmp_path: Path) -> None:
    path = tmp_path / "half.flac"
    data = ASK_NOT.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    captions: list[Caption] = []
    with Interpreter() as interpreter, pytest.raises(DamagedInputError, match=r"half\.flac"):
        captions.extend(interpreter.translate(path))
    assert captions
