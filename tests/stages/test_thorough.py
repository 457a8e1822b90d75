"""Speech that one decode passed over is heard in parts, and nothing else is heard twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.app.compose import make_blueprint
from decalage.app.settings import Settings
from decalage.audio import SAMPLE_RATE, Samples
from decalage.config import RecognizerOptions
from decalage.errors import DecalageError
from decalage.speech import Decoding, Rejection, Transcript, Utterance, Word
from decalage.stages.mel import MelBands
from decalage.stages.thorough import ThoroughRecognizer, pause_in
from decalage.stages.whisper import WhisperRecognizer

Heard = Transcript | Rejection
PLAIN = RecognizerOptions(language="auto")


def sound(*stretches: tuple[float, float]) -> Samples:
    """Noise of each (seconds, level)."""
    made = np.random.default_rng(3)
    parts = [level * made.standard_normal(round(length * SAMPLE_RATE)) for length, level in stretches]
    return np.concatenate(parts).astype(np.float32)


def utterance(samples: Samples, **changes: object) -> Utterance:
    whole = Utterance("s", 4, 8000, samples, 0.5 + len(samples) / SAMPLE_RATE)
    return replace(whole, **changes)  # type: ignore[arg-type]


def heard(tokens: int, *, sure: float = -0.2, at: Utterance | None = None, **changes: object) -> Transcript:
    words = () if at is None else (Word("w", at.start, at.end),)
    made = Transcript(
        f"{tokens} tokens",
        "en",
        Decoding(tokens=tokens, mean_log_probability=sure),
        tuple(range(tokens)),
        words,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Scripted:
    """Hears what ``answer`` makes of each utterance, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Utterance], Heard]) -> None:
        self.asked: list[tuple[Utterance, RecognizerOptions, Transcript | None]] = []
        self._answer = answer

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Heard:
        self.asked.append((utterance, options, draft))
        return self._answer(utterance)


TWO = utterance(sound((6, 0.1), (0.5, 1e-4), (7, 0.1)))


def test_what_one_decode_left_out_is_heard_in_halves_cut_at_the_pause() -> None:
    inner = Scripted(lambda u: heard(5, at=u) if u is TWO else heard(20 + (u.first > 8000), at=u))
    outcome = ThoroughRecognizer(inner).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert outcome.text == "20 tokens 21 tokens"
    assert outcome.tokens == (*range(20), *range(21))
    (_, first, second) = [asked for asked, _, _ in inner.asked]
    assert 6.0 <= len(first.samples) / SAMPLE_RATE <= 6.5
    assert first.first + len(first.samples) == second.first
    assert [word.end for word in outcome.words] == [first.end, TWO.end]
    assert (outcome.decoding.calls, outcome.decoding.tokens) == (3, 46)
    assert [options.language for _, options, _ in inner.asked] == ["auto", "en", "en"]


def test_halves_of_halves_and_no_further() -> None:
    inner = Scripted(lambda u: heard(max(1, round(10 - u.duration / 3))))
    ThoroughRecognizer(inner).recognize(utterance(sound((28, 0.1))), PLAIN)
    assert len(inner.asked) <= 1 + 2 + 4
    assert sum(asked.duration for asked, _, _ in inner.asked) <= 3 * 28 + 1e-6


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (TWO, heard(40)),
        (utterance(sound((4.9, 0.1))), heard(1)),
        (utterance(TWO.samples, final=False), heard(5)),
        (TWO, Rejection("no-speech")),
        (TWO, heard(0)),
    ],
    ids=["enough", "short", "sketch", "rejected", "no tokens told"],
)
def test_what_gives_no_doubt_is_heard_once_with_its_draft(given: Utterance, outcome: Heard) -> None:
    inner, draft = Scripted(lambda _: outcome), heard(7)
    assert ThoroughRecognizer(inner).recognize(given, PLAIN, draft) is outcome
    assert inner.asked == [(given, PLAIN, draft)]


@pytest.mark.parametrize(
    "half",
    [heard(1), heard(20, sure=-0.9), Rejection("no-speech"), heard(20)],
    ids=["no more", "unsure", "silence", "twice the same"],
)
def test_halves_that_are_no_better_change_nothing_but_the_work_told(half: Heard) -> None:
    inner = Scripted(lambda u: heard(5) if u is TWO else half)
    outcome = ThoroughRecognizer(inner).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert (outcome.text, outcome.tokens) == ("5 tokens", tuple(range(5)))
    assert outcome.decoding.calls == len(inner.asked)


def test_a_half_without_speech_is_left_out() -> None:
    whole = heard(5, english="five")
    inner = Scripted(
        lambda u: (
            whole if u is TWO else heard(20, english="twenty") if u.first == 8000 else Rejection("no-text")
        )
    )
    outcome = ThoroughRecognizer(inner).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert (outcome.text, outcome.english) == ("20 tokens", "twenty")


def test_english_that_a_half_lacks_is_not_told() -> None:
    inner = Scripted(lambda u: heard(5, english="five") if u is TWO else heard(20 + (u.first > 8000)))
    outcome = ThoroughRecognizer(inner).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert outcome.english is None


def test_an_end_that_is_likely_is_heard_as_thoroughly_as_one_that_is_sure() -> None:
    paused = utterance(TWO.samples, final=False, paused=True)
    inner = Scripted(lambda u: heard(5) if u is paused else heard(20 + (u.first > 8000)))
    outcome = ThoroughRecognizer(inner).recognize(paused, PLAIN)
    assert isinstance(outcome, Transcript)
    assert len(outcome.tokens) == 41


@pytest.mark.parametrize("other", [heard(19, sure=-0.75), Rejection("loop")], ids=["unsure", "loop"])
def test_what_the_whole_said_is_kept_where_a_half_cannot_be_believed(other: Heard) -> None:
    inner = Scripted(lambda u: heard(8) if u is TWO else heard(30) if u.first == 8000 else other)
    outcome = ThoroughRecognizer(inner).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert outcome.text == "8 tokens"


def test_scripts_without_spaces_are_joined_without() -> None:
    def answer(u: Utterance) -> Heard:
        return heard(5, text="山") if u is TWO else heard(20, text="川" if u.first == 8000 else "海")

    outcome = ThoroughRecognizer(Scripted(answer)).recognize(TWO, PLAIN)
    assert isinstance(outcome, Transcript)
    assert outcome.text == "川海"


def test_under_overload_nothing_is_heard_twice() -> None:
    inner = Scripted(lambda _: heard(5))
    ThoroughRecognizer(inner).recognize(TWO, replace(PLAIN, lighter=True))
    assert len(inner.asked) == 1


@settings(max_examples=50, deadline=None)
@given(st.floats(3, 30), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_a_cut_is_a_second_from_the_ends(length: float, level: float, seed: int) -> None:
    samples = (level * np.random.default_rng(seed).standard_normal(round(length * SAMPLE_RATE))).astype(
        np.float32
    )
    assert 0.9 * SAMPLE_RATE <= pause_in(samples) <= len(samples) - 0.9 * SAMPLE_RATE


def test_of_pauses_as_quiet_the_one_next_to_the_middle_is_cut() -> None:
    samples = sound((2, 0.1), (0.6, 1e-4), (4.5, 0.1), (0.6, 1e-4), (2.4, 0.1))
    assert 7.1 <= pause_in(samples) / SAMPLE_RATE <= 7.7


def test_the_program_recognizes_thoroughly_and_by_mel_bands(
    require: Callable[[bool, str, str], None],
) -> None:
    try:
        recognizer = make_blueprint(Settings(offline=True)).recognizer(1)
    except DecalageError as error:
        require(False, "model base", str(error))
        raise
    assert isinstance(recognizer, ThoroughRecognizer)
    assert isinstance(recognizer._recognizer, WhisperRecognizer)
    assert isinstance(recognizer._recognizer._features.mel_filters, MelBands)
