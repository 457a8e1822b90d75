"""The soak trial in small, and that what it looks for is found when it is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, seconds
from decalage.config import SegmenterOptions
from decalage.errors import DamagedInputError
from decalage.events import Caption, Failure, Gap, Partial, Rejected, Settled, Timing
from decalage.flow.statistics import StreamStatistics
from decalage.speech import Utterance
from decalage.stages.segmenter import VadSegmenter
from scripts.evaluation import Recording
from scripts.soak import held, unsound
from scripts.trial_books import Books
from scripts.trial_fakes import (
    FLAWLESS,
    LevelDetector,
    LightBlueprint,
    Speech,
    misheard,
    text_of,
    words_in,
)
from scripts.trial_guests import GUESTS, Visits, visit
from scripts.trial_lanes import soak
from scripts.trial_picture import draw_held
from scripts.trial_sound import Programme, by_recording
from scripts.trial_watch import Look, Watch, settled, slope

RUNTIMES = ["sequential", "pipeline", "pool", "asyncio", "processes"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What fails on purpose is not told."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", RUNTIMES)
def test_minutes_of_speech_leave_nothing_and_lose_nothing(name: str) -> None:
    minutes, longest_s = (1.0, 15.0) if name == "processes" else (6.0, 40.0)
    account, watch, left = soak(name, minutes / 60, seed=11, longest_s=longest_s)
    assert account.wrong == []
    assert left == []
    assert account.audio_s >= 0.9 * 60 * minutes
    assert account.counts["caption"] > 3
    assert account.counts["streams"] >= 4
    assert watch.left() == []


def test_guests_leave_nothing_and_are_told_all() -> None:
    visits = Visits()
    visit(12, 5, visits)
    assert visits.wrong == []
    assert visits.done == 12
    assert (visits.sessions_left, visits.tasks_left) == (0, 0)
    assert set(visits.counts) <= set(GUESTS)


def interpreted(speech: Speech) -> list[Settled]:
    """Captions of ``speech`` without a runtime: cut and read here."""
    segmenter = VadSegmenter("s", LevelDetector(), SegmenterOptions())
    cuts = [cut for chunk in speech for cut in segmenter.feed(chunk)] + segmenter.finish()
    return [caption(cut) for cut in cuts if isinstance(cut, Utterance)]


def caption(utterance: Utterance) -> Caption:
    return made(utterance.index, utterance.start, utterance.end, text_of(words_in(utterance.samples)))


def made(index: int, start: float, end: float, text: str = "") -> Caption:
    timing = Timing(end, end, end, end, None, None, end)
    return Caption(index, start, end, "en", {"en": text}, timing, None, None)


TALK = Speech(seed=2, length_s=90, holes=False)
EVENTS = interpreted(TALK)


def test_what_was_said_is_heard() -> None:
    assert len(EVENTS) > 3
    assert misheard(TALK.said, EVENTS, TALK.position) == []


def test_an_event_that_is_missing_is_missed() -> None:
    lost = misheard(TALK.said, EVENTS[:1] + EVENTS[2:], TALK.position)
    assert lost
    assert all("in no event" in each for each in lost)


def test_a_caption_with_words_of_another_stream_is_seen() -> None:
    first = cast("Caption", EVENTS[0])
    wrong = misheard(TALK.said, [replace(first, text={"en": "w9001"}), *EVENTS[1:]], TALK.position)
    assert len(wrong) == 1
    assert "w9001" in wrong[0]


def test_words_said_after_the_end_are_not_missed() -> None:
    end = round(EVENTS[1].end * SAMPLE_RATE)
    assert misheard(TALK.said, EVENTS[:2], end) == []


def test_words_in_a_hole_were_not_said() -> None:
    talk = Speech(seed=3, length_s=200)
    chunks = list(talk)
    captured = np.zeros(talk.position, bool)
    for chunk in chunks:
        captured[chunk.first : chunk.first + len(chunk.samples)] = True
    assert not captured.all()
    assert all(captured[each.first : each.end].all() for each in talk.said)
    assert talk.given == captured.sum()


def test_damaged_speech_is_told_and_said_again_alike() -> None:
    talk = Speech(seed=4, length_s=60, breaks_s=20)
    with pytest.raises(DamagedInputError):
        list(talk)
    again = Speech(seed=4, length_s=60, breaks_s=20)
    again.replay(talk.given)
    assert (again.said, again.given) == (talk.said, talk.given)


def test_light_engines_fail_alike_in_every_process() -> None:
    utterance = next(each for each in EVENTS if isinstance(each, Caption))
    one, other = (LightBlueprint(9, FLAWLESS).translator() for _ in range(2))
    assert one == other
    assert one.translate(utterance.text["en"], source="en", target="pt").text.startswith("pt:")


def told(**counts: object) -> StreamStatistics:
    """Statistics of which the books look at a part."""
    nothing = {
        "samples_captioned": 0,
        "samples_failed": 0,
        "samples_rejected": 0,
        "samples_dropped": 0,
        "utterances": 0,
        "settled": 0,
        "in_flight": 0,
        "samples_waiting": 0,
    }
    return cast("StreamStatistics", SimpleNamespace(**{**nothing, **counts}))


def kept(*events: Settled | Partial) -> Books:
    books = Books()
    for event in events:
        books.add(event)
    return books


def test_books_that_agree_with_the_stream_find_nothing() -> None:
    books = kept(
        made(0, 0, 1),
        Gap(1, 1, 3, "device", captured=False),
        Rejected(2, 3, 4, "no-speech"),
        Gap(3, 4, 4.5, "overload"),
        Failure(4, 5, 6, "asr", "?"),
    )
    counts = {"samples_captioned": 16_000, "samples_rejected": 16_000, "samples_dropped": 8_000}
    assert books.compare(told(**counts, samples_failed=16_000, utterances=5, settled=5)) == []
    assert books.answered == 56_000


PARTIAL = Partial(0, 0, 0.0, 1.0, "en", {"en": "a"}, {"en": 0})


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([made(1, 0, 1)], "where 0 is next"),
        ([made(0, 0, 1), made(0, 1, 2)], "where 1 is next"),
        ([made(0, 0, 1), made(1, 0.5, 2)], "ends at 16000"),
        ([made(0, 0, 1), PARTIAL], "after it settled"),
        ([PARTIAL, PARTIAL], "revision 0 of 0"),
    ],
)
def test_books_find_what_is_out_of_order(events: Sequence[Settled | Partial], words: str) -> None:
    (wrong,) = kept(*events).wrong
    assert words in wrong


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"samples_captioned": 15_999, "utterances": 1, "settled": 1}, "by the events 16000"),
        ({"samples_captioned": 16_000, "utterances": 2, "settled": 1}, "2 indices"),
        ({"samples_captioned": 16_000, "utterances": 1, "settled": 1, "in_flight": 1}, "1 in flight"),
    ],
)
def test_books_find_where_the_stream_tells_otherwise(counts: dict[str, int], words: str) -> None:
    (wrong,) = kept(made(0, 0, 1)).compare(told(**counts))
    assert words in wrong


def look(number: int, memory_mb: float) -> Look:
    return Look(number, number * 36.0, memory_mb, memory_mb, 3, 4, 0, 0)


def test_what_grows_has_a_slope_and_what_warms_up_has_none() -> None:
    growing = [look(number, 100 + 0.5 * number) for number in range(100)]
    assert slope(growing, "memory_mb") == pytest.approx(50)
    assert slope(growing, "memory_mb", "wall_s") == pytest.approx(1800)
    warming = [look(number, 100 + min(number, 9)) for number in range(100)]
    assert abs(slope(warming, "memory_mb")) < 0.1
    assert len(settled(warming)) == 90
    assert slope(growing[:2], "memory_mb") == 0.0


def test_a_watch_sees_threads_and_memory_of_this_process() -> None:
    with Watch(lambda: 7.0, every_s=1000) as watch:
        seen = watch.look()
    assert seen.audio_s == 7.0
    assert seen.threads >= 2
    assert seen.memory_mb > 10
    assert watch.looks == [seen]


def recordings(*lengths_s: float) -> list[Recording]:
    sounds = [
        np.full(round(length * SAMPLE_RATE), 0.1 * (n + 1), np.float32) for n, length in enumerate(lengths_s)
    ]
    return [Recording(Path(f"{n}.wav"), "en", f"text {n}", sound) for n, sound in enumerate(sounds)]


def test_a_programme_tells_where_each_recording_is() -> None:
    programme = Programme(recordings(1.0, 2.5, 4.0), 60, seed=8)
    sound = np.concatenate([chunk.samples for chunk in programme])
    assert len(sound) == programme.position
    assert len(programme.placed) > 6
    for placed in programme.placed:
        part = sound[placed.first : placed.end]
        ratio = part / programme.recordings[placed.number].samples
        assert np.allclose(ratio, ratio[0])
        assert sound[placed.first - 1] == 0
    passes = [each.number for each in programme.placed]
    assert sorted(passes[:3]) == [0, 1, 2]
    assert sorted(passes[3:6]) == [0, 1, 2]


def test_captions_go_to_the_recording_they_lie_in() -> None:
    programme = Programme(recordings(2.0, 2.0), 10, seed=1)
    list(programme)
    captions = [
        made(n, seconds(each.first) - 0.8, seconds(each.end) + 0.2, f"said {n}")
        for n, each in enumerate(programme.placed)
    ]
    texts = by_recording(captions, programme.placed)
    assert texts == [f"said {n}" for n in range(len(programme.placed))]


@pytest.mark.parametrize(
    ("of", "an_hour", "told"),
    [("memory_mb", 1.0, []), ("memory_mb", 90.0, ["memory_mb grew by 60."]), ("handles", 9.0, ["handles"])],
)
def test_what_grows_in_a_run_is_wrong(of: str, an_hour: float, told: list[str]) -> None:
    still = Look(0.0, 0.0, 300.0, 300.0, threads=9, handles=5, children=0, shared=0)
    begun = getattr(still, of)
    looks = [replace(still, audio_s=36.0 * n, **{of: begun + an_hour * n / 100}) for n in range(201)]
    wrong = unsound({"held": held(looks), "left": [], "wrong": []})
    assert len(wrong) == len(told)
    assert all(found.startswith(start) for found, start in zip(wrong, told, strict=True))


def test_what_a_run_held_is_drawn(tmp_path: Path, require: Callable[[bool, str, str], None]) -> None:
    require(find_spec("matplotlib") is not None, "matplotlib", "pip install '.[plot]' in the clone")
    looks = [{"x": n / 10, "memory_mb": 100 + n, "threads": 9, "handles": 5} for n in range(20)]
    path = tmp_path / "held.svg"
    draw_held({"pipeline": looks, "pool": looks}, path, along="hours of speech")
    drawn = path.read_text("utf-8")
    for word in ("memory, MB", "threads", "open handles", "hours of speech", "pipeline", "pool"):
        assert word in drawn
