"""What the trial of a slow recognizer reads from a run, and its picture."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from decalage.audio import SAMPLE_RATE
from decalage.config import RecognizerOptions
from decalage.events import Caption, Gap, OverloadChanged, Timing
from decalage.speech import Transcript, Utterance
from decalage.testing.engines import FakeBlueprint, tone
from scripts.slow import line, wrong_of
from scripts.trial_lag import draw_lags, spans
from scripts.trial_slow import Course, SlowBlueprint, Slowness, State, as_body
from scripts.trial_sound import Placed
from scripts.trials import SECTIONS


def caption(index: int, end: float, lag: float, text: str = "a") -> Caption:
    timing = Timing(end, end, end, end, None, None, end + lag)
    return Caption(index, end - 2, end, "en", {"en": text}, timing, lag, lag)


def course(mode: str = "degrade", slow_s: float = 20.0) -> Course:
    """Three captions, the second of them late, and a gap where there should have been another."""
    found = Course(mode, slow_s)
    for event in (
        caption(0, 5, 0.5, "alpha beta"),
        OverloadChanged(9, 3.5, "degrade", ("partials",)),
        caption(1, 12, 9.0, "gamma"),
        OverloadChanged(14, 4.0, "degrade", ("partials", "speculation")),
        Gap(2, 14.0, 16.0, "overload"),
        OverloadChanged(26, 0.5, "degrade", ("partials",)),
        caption(3, 30, 0.4, "delta"),
    ):
        found.add(event, 1.0)
    found.states = [State(float(n), n / 10, n / 5, n / 8) for n in range(35)]
    found.placed = [
        Placed(0, 3 * SAMPLE_RATE, 5 * SAMPLE_RATE),
        Placed(1, 10 * SAMPLE_RATE, 16 * SAMPLE_RATE),
    ]
    found.placed.append(Placed(2, 28 * SAMPLE_RATE, 30 * SAMPLE_RATE))
    found.transcripts = ["alpha beta", "gamma and more", "epsilon"]
    answered = found.books.answered
    found.samples = {"in": answered + 100, "non-speech": 100}
    return found


def test_it_is_on_time_again_when_the_last_late_caption_has_come() -> None:
    assert course().recovered_s == pytest.approx(1.0)
    assert course(slow_s=25.0).recovered_s == 0.0


def test_words_are_counted_where_nothing_was_dropped() -> None:
    assert course().whole() == {0, 2}
    assert course().word_errors({0}) == (0, 2)
    assert course().word_errors({0, 2}) == (1, 3)


def test_samples_that_are_not_accounted_for_are_told() -> None:
    found = course()
    assert wrong_of(course("drop-oldest"), 10.0) == []
    found.mode = "drop-oldest"
    found.samples["in"] += 1
    (wrong,) = wrong_of(found, 10.0)
    assert "accounted for" in wrong


@pytest.mark.parametrize(
    ("mode", "max_lag_s", "words"),
    [("drop-oldest", 8.0, "a lag of 9.0 s"), ("degrade", 10.0, "speech was dropped")],
)
def test_what_a_mode_does_not_allow_is_told(mode: str, max_lag_s: float, words: str) -> None:
    assert words in wrong_of(course(mode), max_lag_s)[0]


def test_a_row_has_the_words_of_what_is_whole_beside_the_undisturbed_ones() -> None:
    row = line(course(), course())
    assert row[0] == "degrade"
    assert row[1] == 3
    assert row[3] == "2.0"
    assert row[-3:] == [pytest.approx(100 / 3), pytest.approx(100 / 3), 3]


def test_a_step_is_given_up_from_its_change_to_the_one_without_it() -> None:
    changes = as_body(course())["changes"]
    assert list(spans(changes, "partials", 40.0)) == [(9, 40.0)]
    assert list(spans(changes, "speculation", 40.0)) == [(14, 26)]
    assert list(spans(changes, "beam", 40.0)) == []


def test_a_slow_call_takes_its_time_and_afterwards_none() -> None:
    slowness = Slowness(2.0, slow_s=60.0)
    recognizer = SlowBlueprint(FakeBlueprint(), slowness).recognizer(1)
    utterance = Utterance("s", 0, 0, tone(7, 0.05), 0.05)
    slowness.begin()
    began = time.monotonic()
    heard = recognizer.recognize(utterance, RecognizerOptions())
    assert time.monotonic() - began >= 0.1
    assert heard == Transcript("word 7", "en")
    over = Slowness(1e6, slow_s=0.0)
    over.begin()
    SlowBlueprint(FakeBlueprint(), over).recognizer(1).recognize(utterance, RecognizerOptions())


def test_a_course_is_json_and_is_drawn(tmp_path: Path, require: Callable[[bool, str, str], None]) -> None:
    require(find_spec("matplotlib") is not None, "matplotlib", "pip install '.[plot]' in the clone")
    runs = [
        json.loads(json.dumps(as_body(course(mode)))) for mode in ("undisturbed", "degrade", "drop-oldest")
    ]
    path = tmp_path / "slow.svg"
    draw_lags(runs, path, rtf=2.0, max_lag_s=10.0)
    drawn = path.read_text("utf-8")
    for word in ("--overload degrade", "--max-lag 10", "no partials", "no speculation", "told as gaps"):
        assert word in drawn


@pytest.mark.parametrize("arguments", SECTIONS.values(), ids=SECTIONS.keys())
def test_every_section_of_the_trials_can_be_run(arguments: list[str]) -> None:
    assert arguments[0] == "-m"
    assert find_spec(arguments[1]) is not None
