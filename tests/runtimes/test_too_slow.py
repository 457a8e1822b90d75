"""A machine that is too slow for minutes, in simulated time: what each policy promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decalage.config import RuntimeOptions, StreamOptions
from tests.runtimes.slow_machine import LIVE, Course, live_through, talk

SLOW_S = 600.0
AFTER_S = 400.0
MAX_LAG_S = 10.0
DROPS = replace(LIVE, overload="drop-oldest", max_lag_s=MAX_LAG_S)
FAST = 0.1


def slow_then_fast(options: StreamOptions, factor: float, limits: RuntimeOptions | None = None) -> Course:
    """Ten minutes at ``factor`` × real time, then a fast machine again."""
    return live_through(talk(SLOW_S + AFTER_S), lambda now: factor if now < SLOW_S else FAST, options, limits)


def accounted(course: Course) -> None:
    """Each index once and in order, each sample in one place."""
    settled = [event for event in course.events if hasattr(event, "index") and event.type != "partial"]
    assert [event.index for event in settled] == list(range(len(settled)))
    books = course.statistics
    assert books is not None
    assert books.breach is None
    assert books.samples_in == books.samples_answered + books.samples_non_speech
    assert books.samples_in == round((SLOW_S + AFTER_S) * 16_000)
    assert books.samples_non_speech == round(course_silence(course) * 16_000)


def course_silence(course: Course) -> float:
    """Seconds of silence in what was said: one after each utterance, captioned or not."""
    return float(len([event for event in course.events if event.type in ("caption", "gap")]))


@pytest.mark.parametrize("factor", [1.5, 2.0])
def test_drop_oldest_keeps_every_lag_under_its_bound_and_declares_the_rest(factor: float) -> None:
    course = slow_then_fast(DROPS, factor)
    accounted(course)
    captions, gaps = course.of("caption"), course.of("gap")
    assert max(caption.lag for caption in captions) <= MAX_LAG_S
    assert all(gap.captured and gap.cause == "overload" for gap in gaps)
    assert course.marks == ["gap"] * len(gaps)
    slow = [caption for caption in captions if caption.end < SLOW_S]
    assert len(slow) >= 0.8 * SLOW_S / 4 / (3 * factor / 4)  # four fifths of what such a machine can do
    assert not [gap for gap in gaps if gap.start > SLOW_S + MAX_LAG_S]


def test_a_source_that_stood_still_for_a_minute_goes_on_as_before_ten_seconds_later() -> None:
    course = live_through(talk(200.0), lambda _: FAST, DROPS, still=(50.0, 110.0))
    gaps = [gap.start for gap in course.of("gap")]
    assert gaps == [48.0]  # what was being said: nobody can know yet that the machine is not to blame
    after = [caption for caption in course.of("caption") if caption.start > 65.0]
    assert len(after) == (200 - 64) / 4 - 1
    assert max(caption.lag for caption in after) < 1.0
    assert course.behind[-1][0] == pytest.approx(200.0, abs=2.0)
    books = course.statistics
    assert books is not None
    assert books.breach is None
    assert {step: 0 < spent < 40 for step, spent in books.shed_s.items()} == {
        "partials": True,
        "speculation": True,
    }


def test_degrade_keeps_every_word_in_bounded_memory_and_catches_up() -> None:
    course = slow_then_fast(LIVE, 1.5, RuntimeOptions(max_inbox_s=10.0))
    accounted(course)
    words = int((SLOW_S + AFTER_S) / 4)
    assert [caption.text["en"] for caption in course.of("caption")] == [
        f"word {word}" for word in range(1, words + 1)
    ]
    assert course.of("gap") == []
    books = course.statistics
    assert books is not None
    assert books.peak_inbox_s <= 10.0 + 1e-6
    assert books.peak_in_flight <= RuntimeOptions().max_in_flight
    assert books.peak_spilled > 0
    assert books.samples_spilled == 0


def test_degrade_gives_up_provisional_work_first_and_takes_it_back_when_it_is_on_time() -> None:
    course = slow_then_fast(LIVE, 1.5)
    steps = [change.shedding for change in course.changes]
    assert steps[:2] == [("partials",), ("partials", "speculation")]
    assert steps[-2:] == [("partials",), ()]
    assert course.changes[-1].time > SLOW_S
    late = [caption for caption in course.of("caption") if caption.degraded]
    assert late
    assert course.of("caption")[-1].degraded == ()
    assert course.of("caption")[-1].lag == pytest.approx(FAST * 3 + 0.1, abs=0.25)
    given_up, back = course.changes[0].time, course.changes[-1].time
    assert [now for now in course.sketched if now <= given_up]
    assert [now for now in course.sketched if given_up < now < back] == []
    assert [now for now in course.sketched if now >= back]
    books = course.statistics
    assert books is not None
    assert books.shed_s["partials"] == pytest.approx(back - given_up, abs=0.01)


def test_lateness_that_shedding_can_mend_is_mended_without_losing_a_word() -> None:
    """With provisional work this machine falls behind: without it it keeps up."""
    course = live_through(talk(300), lambda _: 1.2)
    assert {change.policy for change in course.changes} == {"degrade"}
    assert max(behind_s for now, behind_s in course.behind if now > 60) < 6
    assert course.of("gap") == []


def test_a_machine_that_keeps_up_gives_nothing_up() -> None:
    for options in (LIVE, DROPS):
        course = live_through(talk(120), lambda _: 0.05, options)
        assert course.changes == []
        assert course.of("gap") == []
        assert {caption.degraded for caption in course.of("caption")} == {()}


def test_what_the_disk_has_no_room_for_is_declared() -> None:
    course = live_through(
        talk(300), lambda _: 4.0, limits=RuntimeOptions(max_inbox_s=5.0, max_spill_s=20.0, max_in_flight=4)
    )
    books = course.statistics
    assert books is not None
    assert books.breach is None
    assert books.peak_spilled <= 20 * 16_000
    gaps = course.of("gap")
    assert gaps
    assert all(gap.captured and gap.cause == "overload" for gap in gaps)
    assert books.samples_in == 300 * 16_000
    assert books.samples_dropped == round(sum(gap.end - gap.start for gap in gaps) * 16_000)


def test_speech_that_is_over_while_the_machine_is_late_is_still_captioned() -> None:
    course = live_through(np.concatenate([talk(40), talk(4, 2.5, 1.5)]), lambda _: 1.5)
    assert len(course.of("caption")) == 11
