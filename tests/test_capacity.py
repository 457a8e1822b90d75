"""The model of how many speakers a machine carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE
from decalage.config import SegmenterOptions, StreamOptions
from decalage.speech import Utterance
from scripts.capacity.__main__ import calibrating, crossing, machine_for, most
from scripts.capacity.erlang import blocking, seats_for
from scripts.capacity.script import Script
from scripts.capacity.simulation import Machine, simulate
from scripts.room_sizes import next_size

SECOND = SAMPLE_RATE


def speaker(work_s: float, phrases: int = 6) -> Script:
    """Two seconds of speech, one of silence, again and again; each phrase takes ``work_s`` of a core."""
    options = StreamOptions(targets=("pt",), pace="realtime", segmenter=SegmenterOptions(pause_s=None))
    spoken = np.broadcast_to(np.float32(0), 2 * SECOND)
    cuts = [
        Utterance(
            stream="s",
            index=number,
            first=3 * number * SECOND,
            samples=spoken,
            speech_end=3.0 * number + 2,
        )
        for number in range(phrases)
    ]
    return Script(
        cuts=[((3 * cut.index + 2) * SECOND + SECOND // 2, cut) for cut in cuts],
        samples=3 * phrases * SECOND,
        options=options,
        asr=[(cut, work_s) for cut in cuts],
        mt_s=0.0,
        pair_cost=1.0,
    )


def test_one_speaker_waits_for_the_end_of_the_phrase_and_the_work() -> None:
    alone = simulate(speaker(0.3), 1, Machine())
    assert alone.lag_p50 == pytest.approx(0.5 + 0.3, abs=0.15)
    assert alone.lag_p95 == pytest.approx(alone.lag_p50, abs=0.05)
    assert alone.cpu == pytest.approx(100 * 0.3 / 3 / 2, rel=0.1)


def test_speakers_beyond_what_the_cores_can_do_fall_behind() -> None:
    fits = simulate(speaker(0.3), 12, Machine())
    too_many = simulate(speaker(0.3), 40, Machine())
    assert fits.lag_p95 < 2 < too_many.lag_p95
    assert too_many.cpu > 80


def test_twice_the_cores_carry_about_twice_the_speakers() -> None:
    one, two = (most(speaker(0.6), Machine(cores, cores), 2.0, 40) for cores in (2, 4))
    assert one >= 5
    assert 1.7 * one <= two <= 2.6 * one


@pytest.mark.parametrize(
    "dear", [Machine(session_cores=0.1), Machine(fixed_cores=0.7), Machine(pair_cost=2.0)], ids=repr
)
def test_what_all_else_takes_leaves_less_for_speakers(dear: Machine) -> None:
    assert most(speaker(0.6), dear, 2.0, 20) < most(speaker(0.6), Machine(), 2.0, 20)


def test_two_small_rooms_tell_what_sessions_take_beside_their_work() -> None:
    script = speaker(0.09)
    known = Machine(session_cores=0.02, fixed_cores=0.05)

    def cpu(count: int) -> float:
        wall_s = script.audio_s + 10 * (count - 1) / count
        busy_s = count * (script.work_s + known.session_cores * script.audio_s) + known.fixed_cores * wall_s
        return 100 * busy_s / (2 * wall_s)

    rooms = [
        {"sessions": count, "server_cpu": cpu(count), "partials_per_minute": 0.0} for count in (1, 4, 8, 16)
    ]
    rooms[-1]["server_cpu"] = 99.0  # not one of the two
    machine = machine_for(script, rooms, 2)
    assert machine.session_cores == pytest.approx(known.session_cores)
    assert machine.fixed_cores == pytest.approx(known.fixed_cores)
    assert calibrating(rooms)[1]["sessions"] == 8


def test_the_model_takes_the_processor_time_that_it_is_told() -> None:
    script, machine = speaker(0.3), Machine(session_cores=0.02, fixed_cores=0.05)
    wall_s = script.audio_s + 10 * 7 / 8
    busy_s = 8 * (script.work_s + 0.02 * script.audio_s) + 0.05 * wall_s
    assert simulate(script, 8, machine).cpu == pytest.approx(100 * busy_s / (2 * wall_s), rel=0.03)


@pytest.mark.parametrize(("offered", "seats", "share"), [(1, 1, 0.5), (10, 10, 0.21458), (100, 100, 0.07570)])
def test_erlangs_formula_has_its_known_values(offered: float, seats: int, share: float) -> None:
    assert blocking(offered, seats) == pytest.approx(share, abs=1e-4)


def test_the_fewest_seats_refuse_no_more_than_is_allowed() -> None:
    for offered in (10, 1000):
        seats = seats_for(offered, 0.001)
        assert blocking(offered, seats) <= 0.001 < blocking(offered, seats - 1)


def test_where_the_lag_crosses_its_bound() -> None:
    assert crossing([(8, 0.5), (16, 1.0), (24, 4.0)], 2.0) == pytest.approx(20)
    assert crossing([(8, 0.5), (16, 1.0)], 2.0) == 16
    assert crossing([(8, 3.0)], 2.0) == 0


@pytest.mark.parametrize(
    ("lags", "size"),
    [
        ({}, 1),
        ({1: 0.5}, 4),
        ({1: 0.5, 4: 0.5}, 24),
        ({1: 0.5, 4: 3.0}, None),
        ({1: 0.5, 4: 0.5, 24: 0.6, 32: 9.0}, 28),
        ({1: 0.5, 4: 0.5, 24: 0.6, 28: 9.0, 32: 9.0}, None),
        ({1: 3.0, 4: 3.0}, None),
        ({1: 0.5, 4: 0.5} | dict.fromkeys((24, 32, 48, 64, 96, 128), 0.5), None),
    ],
)
def test_sessions_are_tried_until_the_most_is_known(lags: dict[int, float], size: int | None) -> None:
    assert next_size(lags, (1, 4), 2.0) == size


def test_only_what_is_wanted_is_tried_where_no_lag_will_do() -> None:
    assert next_size({1: 0.5}, (1, 4), 0.0) == 4
    assert next_size({1: 0.5, 4: 0.5}, (1, 4), 0.0) is None


def test_what_was_not_drafted_costs_what_a_whole_phrase_does() -> None:
    drafted = replace(speaker(0.1), plain=speaker(0.3))
    phrase = drafted.asr[0][0]
    assert drafted.service_s(phrase, drafted=True) == 0.1
    assert drafted.service_s(phrase, drafted=False) == 0.3
    assert simulate(drafted, 1, Machine()).lag_p50 == pytest.approx(0.5 + 0.3, abs=0.05)
