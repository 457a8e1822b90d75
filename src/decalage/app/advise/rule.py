"""The rule: machine, measurement and goal in, advice out. Pure; every reason carries its figures.

::

    model     the first of these that fits:     live          large-v3, medium, small, the user's, tiny.en
                                                others        the user's, tiny.en
    shape     workers × threads of that model:  live          the shortest delay that keeps up
                                                memory        one worker
                                                others        the most speech a second
    runtime   pipeline; asyncio for many speakers

The default shape is left only for one that is a tenth better: measurements of seconds are noisy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from decalage.app.advise.ladder import SMALLEST, SMALLEST_COSTS, bigger, relative_cost, weights_bytes
from decalage.app.advise.queueing import BUSY_AT_MOST, busy, delay_s, load, speakers, speed
from decalage.app.advise.reasons import beam_reason, runtime_reasons, shape_reason, short_of
from decalage.app.advise.values import Advice, Figure, Probe, Question, Refusal, Timing
from decalage.app.machine import Machine
from decalage.app.memory import Plan, needed_bytes
from decalage.config import RuntimeName
from decalage.errors import UsageError

BETTER = 0.9
"""A shape has to be at most this part of the default's delay or time to be advised in its place."""
BIGGER_LOAD = 0.5
"""A bigger model is advised where its expected load stays under this: half is left for the rest."""
BIGGER_DELAY_S = 1.0
"""And where its captions come within this time of the utterance's end."""
TIGHT = 0.5
"""With the goal ``memory`` a plan should leave this part of what is free to others."""


def advise(question: Question, machine: Machine, probes: Mapping[str, Probe]) -> Advice:
    """The advice for ``question``; ``probes`` has the user's model or, where that cannot load, tiny.en.

    Raises ``UsageError`` when the machine has no memory for any model there is.
    """
    refused: list[Refusal] = []
    known = [probe for model in _models(question) if (probe := _probe_of(model, question, probes))]
    for probe in known:
        answer = _choose(probe, question, machine, strict=True)
        if isinstance(answer, Timing):
            return _advice(probe, answer, question, machine, refused)
        refused.append(Refusal(f"model {probe.model}", answer))
    for probe in reversed(known):  # the fastest and smallest first
        answer = _choose(probe, question, machine, strict=False)
        if isinstance(answer, Timing):
            others = [refusal for refusal in refused if refusal.what != f"model {probe.model}"]
            return _advice(probe, answer, question, machine, others)
    told = "; ".join(f"{each.what} {each.why}" for each in refused)
    raise UsageError(f"no model fits this machine: {told}")


def plan_of(question: Question, runtime: RuntimeName, workers: int, model: str) -> Plan:
    """What would be loaded."""
    size = question.local.get(model) or weights_bytes(model) or 0
    return Plan(runtime=runtime, workers=workers, weights_bytes=size, directions=question.directions)


def runtime_of(question: Question) -> RuntimeName:
    """The runtime for the goal."""
    return "asyncio" if question.goal == "many-speakers" else "pipeline"


def _models(question: Question) -> list[str]:
    """Best first."""
    names = [question.model]
    if question.goal == "live":
        names = [*reversed(bigger(question.model)), question.model]
    if question.source == "en" and SMALLEST in question.local and SMALLEST not in names:
        names.append(SMALLEST)
    return [name for name in names if not question.offline or name in question.local]


def _probe_of(model: str, question: Question, probes: Mapping[str, Probe]) -> Probe | None:
    """What was measured of ``model``, else an estimate; None where there is nothing to scale from."""
    if model in probes:
        return probes[model]
    for known in (question.model, *probes):
        cost = relative_cost(model, known)
        if known in probes and cost is not None:
            return probes[known].scaled(model, cost)
    return None


def _choose(probe: Probe, question: Question, machine: Machine, *, strict: bool) -> Timing | str:
    """The shape to advise of a model, or why the model is not. Not ``strict``: all it must do is fit."""
    model, runtime = probe.model, runtime_of(question)
    free = machine.free_bytes
    if strict and question.goal == "memory":
        free = round(free * TIGHT)
    least = plan_of(question, runtime, 1, model)
    fitting = [
        timing
        for timing in probe.timings
        if needed_bytes(plan_of(question, runtime, timing.shape.workers, model)) <= free
    ]
    if not fitting:
        told = short_of(needed_bytes(least), machine.free_bytes)
        return told if free == machine.free_bytes else f"{told}, and half of that should stay free"
    best = _best(probe, fitting, question)
    if not strict or question.goal in ("memory", "throughput"):
        return best
    return _too_slow(probe, best, question) or best


def _best(probe: Probe, timings: list[Timing], question: Question) -> Timing:
    """The shape for the goal; the first, the default, unless another is clearly better."""
    if question.goal == "memory":
        return min(timings, key=lambda timing: timing.shape.workers)
    if question.goal == "live" and any(busy(probe, timing) <= BUSY_AT_MOST for timing in timings):
        timings = [timing for timing in timings if busy(probe, timing) <= BUSY_AT_MOST]
        cost = {timing: delay_s(probe, timing) for timing in timings}
    else:
        cost = {timing: 1 / timing.per_s for timing in timings}
    best = min(timings, key=lambda timing: cost[timing])
    return best if cost[best] <= BETTER * cost[timings[0]] else timings[0]


def _too_slow(probe: Probe, timing: Timing, question: Question) -> str | None:
    """Why a model that fits is too slow; the user's own has only to keep up."""
    told = "" if probe.measured else " (estimate by its size)"
    share = busy(probe, timing)
    if share > BUSY_AT_MOST:
        return f"one speaker would keep its workers busy {100 * share:.0f} % of the time{told}, 70 % is sound"
    if probe.model not in bigger(question.model):
        return None
    work, delay = load(probe, timing), delay_s(probe, timing)
    if work >= BIGGER_LOAD:
        return f"load {work:.2f} expected{told}, {BIGGER_LOAD:g} is sound"
    if delay > BIGGER_DELAY_S:
        return (
            f"{delay:.1f} s from the end of an utterance to its caption{told}, {BIGGER_DELAY_S:g} s is sound"
        )
    return None


def _advice(
    probe: Probe, timing: Timing, question: Question, machine: Machine, refused: list[Refusal]
) -> Advice:
    runtime, model = runtime_of(question), probe.model
    plan = plan_of(question, runtime, timing.shape.workers, model)
    reasons = [
        *refused,
        *_other_shapes(probe, timing, question, machine),
        *runtime_reasons(plan, machine.free_bytes),
        beam_reason(),
    ]
    if model == SMALLEST and question.model != SMALLEST:
        reasons.append(Refusal(f"model {question.model}", f"{SMALLEST} takes its place: {SMALLEST_COSTS}"))
    return Advice(
        goal=question.goal,
        runtime=runtime,
        shape=timing.shape,
        model=model,
        here=model in question.local,
        keeps_up=busy(probe, timing) <= BUSY_AT_MOST,
        figures=_figures(probe, timing, question, needed_bytes(plan)),
        refused=tuple(reasons),
    )


def _figures(probe: Probe, timing: Timing, question: Question, needed: int) -> tuple[Figure, ...]:
    """What the advised plan is expected to do; what is not a plain measurement is an estimate."""
    figures = [
        Figure("recognition", timing.alone_s, f"s for {probe.utterance_s:.1f} s of speech", probe.measured),
        Figure("translation", 1000 * probe.translation_s, "ms", True),
        Figure("load", load(probe, timing), "of a speaker who never pauses", probe.measured),
        Figure("speed", speed(probe, timing), "× real time at full work", False),
        Figure("memory", needed / 1e6, "MB", False),
    ]
    delay = delay_s(probe, timing)
    if math.isfinite(delay):
        figures.insert(2, Figure("delay", delay, "s from the end of an utterance to its caption", False))
    if question.goal == "many-speakers":
        figures.insert(0, Figure("speakers", speakers(probe, timing), "at a time who never pause", False))
    return tuple(figures)


def _other_shapes(probe: Probe, chosen: Timing, question: Question, machine: Machine) -> list[Refusal]:
    """Why not another number of workers and threads."""
    runtime, free = runtime_of(question), machine.free_bytes
    return [
        shape_reason(
            probe,
            timing,
            chosen,
            question,
            (needed_bytes(plan_of(question, runtime, timing.shape.workers, probe.model)), free),
        )
        for timing in probe.timings
        if timing.shape != chosen.shape
    ]
