"""The rule: what is advised for each goal on each kind of machine, and what is refused with which figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decalage.app.advise.ladder import bigger, relative_cost
from decalage.app.advise.queueing import busy, delay_s, speakers, speed
from decalage.app.advise.rule import advise
from decalage.app.advise.shape import Shape, default_shape, shapes
from decalage.app.advise.values import Advice, Goal, Probe, Question, Timing
from decalage.app.machine import Machine
from decalage.app.settings import Settings, available_cores
from decalage.errors import UsageError

GB = 1_000_000_000
LOCAL = {"base": 145_217_532, "tiny.en": 75_537_502}
LAPTOP = Machine(cores=2, free_bytes=4 * GB, total_bytes=8 * GB)
DESK = Machine(cores=16, free_bytes=32 * GB, total_bytes=64 * GB)
SINGLE = Machine(cores=1, free_bytes=2 * GB, total_bytes=4 * GB)


def question(goal: Goal = "live", **changes: object) -> Question:
    return replace(Question(goal=goal, local=LOCAL), **changes)  # type: ignore[arg-type]


def probe(cores: int, service_s: float = 0.24, model: str = "base", utterance_s: float = 4.0) -> Probe:
    """A model on a machine where more threads help a little and more workers help fully."""
    timings = []
    for shape in shapes(cores):
        alone_s = service_s / shape.threads**0.2
        timings.append(Timing(shape, alone_s, alone_s, shape.workers / alone_s))
    return Probe(model, utterance_s, 0.01, tuple(timings))


def why(advice: Advice, what: str) -> str:
    """The reason given against ``what``."""
    return next(refusal.why for refusal in advice.refused if refusal.what == what)


def asked(goal: Goal, machine: Machine, service_s: float = 0.24, **changes: object) -> Advice:
    return advise(question(goal, **changes), machine, {"base": probe(machine.cores, service_s)})


@pytest.mark.parametrize(
    ("goal", "machine", "runtime", "shape"),
    [
        ("live", LAPTOP, "pipeline", Shape(1, 2)),
        ("live", SINGLE, "pipeline", Shape(1, 1)),
        ("live", DESK, "pipeline", Shape(1, 16)),
        ("throughput", LAPTOP, "pipeline", Shape(2, 1)),
        ("throughput", DESK, "pipeline", Shape(16, 1)),
        ("throughput", SINGLE, "pipeline", Shape(1, 1)),
        ("memory", LAPTOP, "pipeline", Shape(1, 2)),
        ("memory", DESK, "pipeline", Shape(1, 16)),
        ("many-speakers", LAPTOP, "asyncio", Shape(2, 1)),
        ("many-speakers", DESK, "asyncio", Shape(16, 1)),
    ],
)
def test_each_goal_has_its_runtime_and_shape(
    goal: Goal, machine: Machine, runtime: str, shape: Shape
) -> None:
    advice = asked(goal, machine, offline=True)
    assert (advice.runtime, advice.shape, advice.model, advice.beam) == (runtime, shape, "base", 1)
    assert advice.keeps_up


def test_live_takes_more_workers_when_one_cannot_keep_up() -> None:
    """At 1 × 2 one speaker would keep the worker busy 87 % of the time, at 2 × 1 half of it."""
    advice = asked("live", LAPTOP, 4.0, offline=True, local={"base": LOCAL["base"]})
    assert advice.shape == Shape(2, 1)
    assert "busy 87 % of the time" in why(advice, "workers 1 × 2")


def test_a_shape_that_is_less_than_a_tenth_better_does_not_replace_the_default() -> None:
    narrow = Timing(Shape(2, 1), 0.25, 0.25, 8.0)
    for wide_s, chosen in ((0.24, Shape(2, 1)), (0.20, Shape(1, 2))):
        measured = Probe("base", 4.0, 0.0, (narrow, Timing(Shape(1, 2), wide_s, wide_s, 1 / wide_s)))
        assert advise(question(offline=True), LAPTOP, {"base": measured}).shape == chosen


def test_a_bigger_model_is_advised_where_its_estimated_load_leaves_half() -> None:
    advice = asked("live", DESK, 0.2)
    assert advice.model == "small"
    assert not advice.here
    assert "estimate" in str(next(figure for figure in advice.figures if figure.name == "load"))
    assert "(estimate by its size)" in why(advice, "model medium")
    assert advice.settings(otherwise="base")["model"] == "base"


def test_a_measured_bigger_model_is_judged_by_its_measurement() -> None:
    local = {**LOCAL, "small": 484_000_000}
    probes = {"base": probe(16, 0.2), "small": probe(16, 3.0, "small")}
    advice = advise(question(local=local), DESK, probes)
    assert advice.model == "base"
    assert "load" in why(advice, "model small")
    assert "estimate" not in why(advice, "model small")


def test_a_bigger_model_is_refused_for_want_of_memory_with_the_figures() -> None:
    machine = replace(DESK, free_bytes=900_000_000)
    advice = asked("live", machine, 0.05)
    assert advice.model == "base"
    assert why(advice, "model small").startswith("would need ")
    assert why(advice, "model small").endswith(", 900 MB are free")


def test_offline_advises_no_model_that_is_not_here() -> None:
    assert asked("live", DESK, 0.05, offline=True).model == "base"


@pytest.mark.parametrize("goal", ["throughput", "memory", "many-speakers"])
def test_only_live_asks_for_a_bigger_model(goal: Goal) -> None:
    assert asked(goal, DESK, 0.05).model == "base"


def test_a_runtime_that_does_not_fit_is_refused_with_the_figures() -> None:
    machine = replace(LAPTOP, free_bytes=700_000_000)
    advice = asked("throughput", machine)
    assert advice.runtime == "pipeline"
    assert why(advice, "processes").startswith("would need ")
    assert why(advice, "processes").endswith(", 700 MB are free")


def test_every_other_runtime_and_beam_has_a_reason() -> None:
    named = {refusal.what for refusal in asked("live", LAPTOP).refused}
    assert {"sequential", "pool", "processes", "asyncio", "beam 5", "workers 2 × 1"} <= named


def test_tight_memory_takes_the_small_english_model_and_says_what_it_costs() -> None:
    machine = replace(LAPTOP, free_bytes=900_000_000)
    advice = asked("memory", machine)
    assert (advice.model, advice.shape) == ("tiny.en", Shape(1, 2))
    reasons = [refusal.why for refusal in advice.refused if refusal.what == "model base"]
    assert any("half of that should stay free" in reason for reason in reasons)
    assert any("hears English only" in reason for reason in reasons)


def test_the_small_english_model_is_not_for_other_languages() -> None:
    machine = replace(LAPTOP, free_bytes=900_000_000)
    assert asked("memory", machine, source="pt").model == "base"


def test_fewer_workers_are_advised_where_memory_holds_no_more() -> None:
    machine = replace(DESK, free_bytes=700_000_000)
    advice = asked("throughput", machine)
    assert advice.shape == Shape(4, 4)
    assert "700 MB are free" in why(advice, "workers 16 × 1")


def test_a_machine_too_slow_for_the_model_takes_the_faster_one() -> None:
    advice = asked("live", SINGLE, 3.5)
    assert advice.model == "tiny.en"
    assert advice.keeps_up
    assert "busy 88 % of the time" in why(advice, "model base")


def test_a_machine_too_slow_for_every_model_is_told_so() -> None:
    advice = asked("live", SINGLE, 40.0)
    assert advice.model == "tiny.en"
    assert not advice.keeps_up
    assert "delay" not in {figure.name for figure in advice.figures}


def test_where_nothing_fits_the_figures_are_told() -> None:
    with pytest.raises(UsageError, match=r"model base would need \d+ MB, 100 MB are free"):
        asked("live", replace(LAPTOP, free_bytes=100_000_000))


def test_many_speakers_are_counted_with_translation_and_detection() -> None:
    """0.24 s for 4 s of speech on each of 2 cores: 33 × real time; 31 with the rest; 70 % of it."""
    measured = probe(2)
    timing = measured.timings[0]
    assert speed(measured, timing) == pytest.approx(2 / (0.24 / 4 + 0.01 / 4 + 0.006))
    assert speakers(measured, timing) == int(0.7 * speed(measured, timing))
    advice = asked("many-speakers", LAPTOP)
    assert advice.figures[0].name == "speakers"
    assert advice.figures[0].value == speakers(measured, timing)


def test_delay_is_service_time_when_idle_and_without_bound_when_overloaded() -> None:
    idle, full = Timing(Shape(2, 1), 0.1, 0.1, 20.0), Timing(Shape(1, 1), 4.5, 4.5, 0.2)
    measured = Probe("base", 4.0, 0.05, (idle, full))
    assert delay_s(measured, idle) == pytest.approx(0.15, abs=0.001)
    assert busy(measured, full) > 1
    assert delay_s(measured, full) == float("inf")


def test_waiting_for_one_worker_is_half_the_even_service_queue_of_theory() -> None:
    """M/D/1: the mean wait is ρ·s / 2(1 − ρ)."""
    timing = Timing(Shape(1, 1), 2.0, 2.0, 0.5)
    measured = Probe("base", 4.0, 0.0, (timing,))
    assert delay_s(measured, timing) - 2.0 == pytest.approx(0.5 * 2.0 / (2 * 0.5))


def test_a_bigger_model_costs_more_and_an_unknown_one_has_no_estimate() -> None:
    assert relative_cost("small", "base") == pytest.approx(4.3, abs=0.1)
    assert relative_cost("base", "tiny.en") == pytest.approx(2.5, abs=0.1)
    assert relative_cost("small", "/models/mine") is None
    assert bigger("small.en") == ["medium", "large-v3"]
    assert bigger("/models/mine") == []


@pytest.mark.parametrize(
    ("cores", "shape"),
    [(1, Shape(1, 1)), (2, Shape(2, 1)), (4, Shape(4, 1)), (8, Shape(4, 2)), (16, Shape(4, 4))],
)
def test_the_default_uses_every_core_and_advise_starts_from_it(cores: int, shape: Shape) -> None:
    assert default_shape(cores) == shape
    assert shapes(cores)[0] == shape
    assert len(shapes(cores)) == len(set(shapes(cores)))


def test_settings_without_numbers_use_the_same_default() -> None:
    shape = default_shape(available_cores())
    assert Settings().parallelism() == (shape.workers, shape.threads)
    assert Settings(runtime="sequential").parallelism() == (1, available_cores())
    assert Settings(workers=3, threads=2).parallelism() == (3, 2)
