"""Greedy search over the decoder's steps: drafts change nothing, loops end as they begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decalage.config import RecognizerOptions
from decalage.errors import DecalageError
from decalage.sources.file import FileSource
from decalage.speech import Utterance
from decalage.stages.decode import Decoded, DecodePlan, Features
from decalage.stages.whisper import WhisperRecognizer, _Way
from decalage.stages.whisper_onnx import OnnxWhisper
from decalage.store.models import find_recognizer
from decalage.store.quantized import find_quantized

SAMPLES = Path(__file__).parents[2] / "samples"
END, FIRST = 9, 1
PLAN = DecodePlan(
    prompt=(7, 8),
    start=7,
    end=END,
    no_speech=6,
    suppressed=(5,),
    suppressed_first=(4, END),
    limit=20,
)


class Spelling(OnnxWhisper):
    """A decoder that would say the tokens of ``text`` one after the other, whatever the sound is."""

    def __init__(self, text: Sequence[int], vocabulary: int = 10) -> None:
        self._said = [*text, END]
        self._vocabulary = vocabulary
        self.steps: list[int] = []
        """Tokens of each step."""

    def hear(self, features: Features) -> dict[str, object]:  # noqa: ARG002
        return {}

    def nothing_said(self) -> dict[str, object]:
        return {"past": Past(0)}

    def cut(self, past: dict[str, object], length: int) -> dict[str, object]:  # noqa: ARG002
        return {"past": Past(length)}

    def step(
        self,
        tokens: NDArray[np.int64],
        kept: NDArray[np.int64],
        heard: dict[str, object],  # noqa: ARG002
        past: dict[str, object],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, object]]:
        before = past["past"]
        assert isinstance(before, Past)
        self.steps.append(len(tokens))
        logits = np.zeros((len(kept), self._vocabulary), np.float32)
        for row, number in enumerate(kept):
            place = before.length + number - (len(PLAN.prompt) - 1)
            logits[row, self._said[min(max(place, 0), len(self._said) - 1)]] = 5
            logits[row, 5] = 9  # never allowed
        attention = np.zeros((1, len(tokens), 4), np.float32)
        return logits, attention, {"past": Past(before.length + len(tokens))}


class Past:
    def __init__(self, length: int) -> None:
        self.length = length

    def shape(self) -> list[int]:
        return [1, 1, self.length, 1]


def decoded(model: Spelling, **changes: Any) -> Decoded:
    return model.decode(model.hear(np.zeros((1, 80, 10), np.float32)), replace(PLAN, **changes))


def test_a_text_is_written_token_by_token_to_its_end() -> None:
    model = Spelling([1, 2, 3])
    assert decoded(model) == replace(decoded(model), tokens=(1, 2, 3), ended=True)
    assert model.steps[:4] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    "draft",
    [(1, 2, 3), (1, 2, 3, 3, 3), (1, 2), (1, 1, 3), (2,), (1, 2, 3, END), tuple([1] * 40)],
    ids=str,
)
def test_a_draft_leaves_the_result_as_it_is(draft: tuple[int, ...]) -> None:
    plain, drafted = Spelling([1, 2, 3]), Spelling([1, 2, 3])
    result = decoded(drafted, draft=draft, timed=True, frames=4)
    assert result == decoded(plain, timed=True, frames=4)
    assert len(result.starts) == len(result.tokens) + 1
    assert len(drafted.steps) <= len(plain.steps)


def test_a_draft_that_holds_takes_one_step() -> None:
    model = Spelling([1, 2, 3])
    decoded(model, draft=(1, 2, 3))
    assert model.steps == [5]


def test_after_a_draft_that_fails_the_decoder_goes_on_from_there() -> None:
    model = Spelling([1, 2, 3, 1])
    assert decoded(model, draft=(1, 2, 1, 3)).tokens == (1, 2, 3, 1)
    assert model.steps == [6, 1, 1]


@pytest.mark.parametrize("draft", [(), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)], ids=["plain", "drafted"])
def test_a_text_is_stopped_at_its_limit(draft: tuple[int, ...]) -> None:
    result = decoded(Spelling([1] * 30), limit=7, draft=draft)
    assert result.tokens == (1,) * 7
    assert not result.ended


@pytest.mark.parametrize("draft", [(), (1,) * 12], ids=["plain", "drafted"])
def test_a_loop_is_stopped_as_it_begins(draft: tuple[int, ...]) -> None:
    model = Spelling([1] * 30)
    result = decoded(model, draft=draft, stop=lambda tokens: len(tokens) >= 5)
    assert result.tokens == (1,) * 8  # asked at every fourth token
    assert not result.ended


def test_no_run_comes_twice_where_none_may() -> None:
    result = decoded(Spelling([1, 2, 3, 1, 2, 3, 1]), no_repeat=3, limit=6)
    runs = [result.tokens[at : at + 3] for at in range(len(result.tokens) - 2)]
    assert len(set(runs)) == len(runs) > 2


def test_a_text_does_not_begin_with_what_it_may_not() -> None:
    assert decoded(Spelling([4, 2])).tokens[0] != 4
    assert decoded(Spelling([])).tokens  # not the end either


def test_a_failing_engine_is_told_in_one_line() -> None:
    with pytest.raises(DecalageError, match="the recognizer failed") as told:
        decoded(Spelling([1]), prompt=())
    assert "\n" not in str(told.value)


@pytest.mark.real
@pytest.mark.parametrize("kept", [4, 12, 30, 99], ids=lambda n: f"{n} words")
def test_a_draft_of_real_speech_gives_the_same_text_in_fewer_steps(
    require: Callable[[bool, str, str], None], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        folder = find_recognizer("base", offline=True)
    except DecalageError as error:
        require(False, "model base", str(error))
        raise
    model = OnnxWhisper(find_quantized(folder), threads=1)
    recognizer = WhisperRecognizer(model, folder)
    samples = np.concatenate([chunk.samples for chunk in FileSource(str(SAMPLES / "ask-not.flac"))])
    features = recognizer._encoder_input(samples, 20.0)
    utterance = Utterance("s", 0, 0, samples, len(samples) / 16_000)
    plan = recognizer._plan(utterance, RecognizerOptions(), _Way(20.0), 100, ())
    steps: list[int] = []
    step = model.step

    def counted(*arguments: object) -> object:
        steps.append(1)
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "step", counted)
    heard = model.hear(features)
    plain = model.decode(heard, plan)
    alone = len(steps)
    steps.clear()
    drafted = model.decode(heard, replace(plan, draft=(*plain.tokens[:kept], 11, 13)))
    assert drafted.tokens == plain.tokens
    assert drafted.mean_log_probability == pytest.approx(plain.mean_log_probability, abs=1e-2)
    assert len(steps) <= alone - min(kept, len(plain.tokens)) + 1
