"""Why not the others: runtimes, shapes, beams, each with the figures it failed by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import get_args

from decalage.app.advise.queueing import BUSY_AT_MOST, busy, delay_s, speed
from decalage.app.advise.values import Probe, Question, Refusal, Timing
from decalage.app.memory import Plan, gigabytes, needed_bytes
from decalage.config import RuntimeName

_GIVES: Mapping[RuntimeName, str] = MappingProxyType(
    {
        "sequential": "cuts and translates nothing while it recognizes",
        "pipeline": "as fast as asyncio, which keeps no threads for each stage",
        "pool": "a copy of the model a worker and no faster for it",
        "processes": "no faster, worth it where an engine might crash or hang",
        "asyncio": "as fast as pipeline, made for many speakers",
        "ray": "no faster on one machine, made for several",
    }
)
"""From docs/runtimes.md, where each claim is measured."""


def short_of(needed: int, free: int) -> str:
    """What is needed and what there is."""
    return f"would need {gigabytes(needed)}, {gigabytes(free)} are free"


def runtime_reasons(plan: Plan, free_bytes: int) -> list[Refusal]:
    """Why each runtime other than the plan's was not advised."""
    refusals = []
    for runtime in get_args(RuntimeName):
        if runtime == plan.runtime:
            continue
        workers = 1 if runtime == "sequential" else plan.workers
        needed = needed_bytes(replace(plan, runtime=runtime, workers=workers))
        told = f"{gigabytes(needed)}; {_GIVES[runtime]}"
        refusals.append(Refusal(runtime, short_of(needed, free_bytes) if needed > free_bytes else told))
    return refusals


def shape_reason(
    probe: Probe, timing: Timing, chosen: Timing, question: Question, room: tuple[int, int]
) -> Refusal:
    """Why ``timing``'s shape was not advised but ``chosen``'s; ``room`` is bytes needed and bytes free."""
    needed, free = room
    if needed > free:
        why = short_of(needed, free)
    elif question.goal == "memory":
        why = f"{gigabytes(needed)}, more than one worker needs"
    elif question.goal == "live":
        share = busy(probe, timing)
        delay, least = delay_s(probe, timing), delay_s(probe, chosen)
        why = f"delay {delay:.2f} s; {chosen.shape}: {least:.2f} s"
        if share > BUSY_AT_MOST or math.isinf(delay):
            why = f"its workers would be busy {100 * share:.0f} % of the time"
    else:
        why = f"{speed(probe, timing):.1f} × real time; {chosen.shape}: {speed(probe, chosen):.1f}"
    return Refusal(f"workers {timing.shape}", why)


def beam_reason() -> Refusal:
    """Why greedy decoding: measured 2026-11-23 with the fitted window on 2 cores, not here."""
    return Refusal(
        "beam 5", "28 % more time, 4.8 % of words wrong where greedy has 4.2 % (base, 70 recordings)"
    )
