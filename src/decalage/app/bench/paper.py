"""The paper's estimates, as data: what it says of today's system and of each option it weighs.

They are estimates for its own machine and speech, shown beside what is measured here, never mixed
with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the paper says of one option, by the names of the report's columns."""

    option: str
    runtime: str
    """The runtime here that does what the option says."""
    ratio: Mapping[str, float] = field(default_factory=dict)
    """Times today's system."""
    value: Mapping[str, float | Range] = field(default_factory=dict)
    """In the column's unit: seconds, per cent."""


TODAY = Estimate(
    "today",
    "sequential",
    value={"latency_mean": 0.893, "latency_max": 1.476, "rtf": 1.14, "cpu_percent": 25.0},
)

_CPU: Mapping[str, float | Range] = {"cpu_percent": (60.0, 70.0)}

OPTIONS = (
    Estimate(
        "Option 1",
        "pipeline",
        {"latency_mean": 0.60, "latency_max": 0.55, "rtf": 0.66, "memory_mb": 1.1},
        _CPU,
    ),
    Estimate("Option 2", "pool", {"throughput": 2.0, "memory_mb": 3.0}, _CPU),
    Estimate("Option 3", "processes", {"throughput": 2.5, "memory_mb": 4.0}, _CPU),
)


def values(estimate: Estimate) -> dict[str, float | list[float]]:
    """What is said in a unit, and what follows from a ratio where today's value is known."""
    found: dict[str, float | list[float]] = {}
    for name, ratio in estimate.ratio.items():
        today = TODAY.value.get(name)
        if isinstance(today, float):
            found[name] = round(ratio * today, 3)
    for name, value in estimate.value.items():
        found[name] = value if isinstance(value, float) else list(value)
    return found


def as_data() -> dict[str, Any]:
    """For the report: a row each, values under the report's names."""
    return {
        "note": "the paper's estimates for its own machine and speech",
        "rows": [
            {"option": one.option, "runtime": one.runtime, "ratio": dict(one.ratio), **values(one)}
            for one in (TODAY, *OPTIONS)
        ],
    }
