"""A stream's inbox: every sample that was fed comes out once, as sound or as missing, in its place."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from decalage.flow.channel import ChannelFinished
from decalage.runtimes.intake import Flush, Intake, Missing
from decalage.store.spill import SoundSpill
from decalage.testing import ManualClock
from tests.properties import examples

STEPS = st.lists(
    st.tuples(st.just("feed"), st.integers(0, 5 * SAMPLE_RATE // 10))
    | st.tuples(st.just("hole"), st.integers(1, SAMPLE_RATE))
    | st.tuples(st.just("flush"), st.just(0))
    | st.tuples(st.just("take"), st.integers(1, 8)),
    max_size=25,
)
SOUND = np.arange(40 * SAMPLE_RATE, dtype=np.float32)


def fed(intake: Intake, steps: list[tuple[str, int]]) -> tuple[list[AudioChunk | Missing | Flush], int]:
    """All that comes out when ``steps`` were done, and the samples that went in."""
    out: list[AudioChunk | Missing | Flush] = []
    place = captured = 0
    for step, number in steps:
        if step == "feed":
            for _ in intake.accept(AudioChunk(place, SOUND[place : place + number])):
                pass
            place, captured = place + number, captured + number
        elif step == "hole":
            place += number
        elif step == "flush":
            intake.flush()
        else:
            out += [item for item in (intake.take() for _ in range(number)) if item is not None]
    assert intake.expected <= place
    intake.finish()
    with suppress(ChannelFinished):
        while True:
            item = intake.take()
            assert item is not None, "closed, and neither finished nor anything inside"
            out.append(item)
    return out, captured


def heard(out: list[AudioChunk | Missing | Flush]) -> tuple[int, int, Samples]:
    """Samples captured and dropped, samples never captured, and what is left of the sound."""
    place = dropped = uncaptured = 0
    sound = []
    for item in out:
        if isinstance(item, Flush):
            continue
        assert item.first == place, "in its place, nothing before it left out"
        if isinstance(item, Missing):
            assert item.length > 0
            dropped += item.length * item.captured
            uncaptured += item.length * (not item.captured)
            place += item.length
        else:
            np.testing.assert_array_equal(item.samples, SOUND[place : place + len(item.samples)])
            sound.append(item.samples)
            place += len(item.samples)
    return dropped, uncaptured, np.concatenate([*sound, np.zeros(0, np.float32)])


def flushes_after(out: list[AudioChunk | Missing | Flush]) -> list[int]:
    """Samples before each flush."""
    places, place = [], 0
    for item in out:
        if isinstance(item, Flush):
            places.append(place)
        else:
            place = item.first + (item.length if isinstance(item, Missing) else len(item.samples))
    return places


def asked(steps: list[tuple[str, int]]) -> list[int]:
    """Where the flushes were asked for: a hole is known when sound follows it."""
    places, place, behind = [], 0, 0
    for step, number in steps:
        if step == "flush":
            places.append(place)
        elif step == "hole":
            behind += number
        elif step == "feed":
            place, behind = place + behind + number, 0
    return places


@examples(300)
@given(STEPS, st.sampled_from([0.2, 1.0, 30.0]), st.sampled_from([0, 4_000, 600_000]))
def test_what_a_live_source_feeds_comes_out_once_and_in_place_whatever_has_room(
    steps: list[tuple[str, int]], bound_s: float, on_disk: int
) -> None:
    spill = SoundSpill(on_disk, Path(tempfile.gettempdir())) if on_disk else None
    intake = Intake(bound_s, waits=False, clock=ManualClock(), spill=spill)
    out, captured = fed(intake, steps)
    dropped, uncaptured, sound = heard(out)
    assert dropped + len(sound) == captured
    assert dropped + len(sound) + uncaptured == intake.expected
    assert flushes_after(out) == asked(steps)
    if bound_s == 30.0 or on_disk == 600_000:
        assert dropped == 0
    assert intake.statistics().peak_weight <= max(bound_s, 0.1) + 1e-6
    intake.cancel()


def test_the_oldest_sample_that_waits_is_known_behind_missing_sound_and_on_the_disk() -> None:
    intake = Intake(
        1.0, waits=False, clock=ManualClock(), spill=SoundSpill(600_000, Path(tempfile.gettempdir()))
    )
    assert intake.oldest is None
    for first in (16_000, 1_000_000):
        list(intake.accept(AudioChunk(first, SOUND[:24_000])))
    assert intake.spilled
    seen: list[int] = []
    while intake.oldest is not None:
        seen.append(intake.oldest)
        item = intake.take()
        assert not isinstance(item, AudioChunk) or item.first == seen[-1]
    assert sorted(set(seen)) == [*range(16_000, 40_000, 1_600), *range(1_000_000, 1_024_000, 1_600)]
    intake.cancel()
