"""What a run needs in memory, told before anything loads.

::

    sequential, pipeline, asyncio    one process, one set of weights
    pool                             one process, a set of weights a worker
    ray                              one set of weights, and the processes of a cluster
    processes                        this one, audio, VAD, MT and one a worker with its own weights

The constants are upper edges, mostly by a tenth to a quarter, of what ``scripts.measure_memory``
measured for base and tiny.en with 1 to 16 workers (Linux x86-64, 2026-11-24, ctranslate2 4.8.5): the
proportional set size of the process tree at its peak, which for copies of a model is while they load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from decalage.app.machine import Machine
from decalage.app.settings import Settings
from decalage.config import RuntimeName
from decalage.errors import NoRoomError

_PROGRAM = 200_000_000
"""Python, the engines' libraries and buffers, voice activity detection."""
_PROGRAMS_APART = 200_000_000
"""The same for ``processes``: this process, VAD and MT, each with what it imports."""
_RECOGNIZING_PROCESS = 110_000_000
"""A spawned process that has loaded the recognizer's library, its weights apart."""
_CLUSTER = 750_000_000
"""The processes of Ray itself on one machine and what the actors import, for ``ray``."""
_DIRECTION = 90_000_000
"""A translation model of one direction."""
_LARGER = 1.5
"""Memory for each byte of the file of another translation model, of which none was measured."""
_WORKING = 30_000_000
_WORKING_SHARE = 0.14
"""Buffers of one recognition: so much, and so much more for each byte of weights."""
_LOADED_INT8, _LOADED_OTHER = 0.65, 2.2
"""Memory for each byte of a float16 file, kept as int8 or wider."""
_LOADING_INT8, _LOADING_OTHER = 0.65, 1.2
"""The same for the time of loading, on top."""
_LOADING_AT_ONCE = 4
"""Copies in one process that are seen loading at the same time."""
_SHARING: tuple[RuntimeName, ...] = ("sequential", "pipeline", "asyncio", "ray")
"""Runtimes with one set of weights however many workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be loaded, and how often."""

    runtime: RuntimeName
    workers: int
    weights_bytes: int
    """Size of the recognizer's file, with that of the smaller one if there are two."""
    directions: int = 1
    """Translation models."""
    larger_bytes: int = 0
    """Size of the files of those that are not Firefox's."""
    compute_type: str = "auto"

    @classmethod
    def of(
        cls,
        settings: Settings,
        model: Path,
        translators: Iterable[Path] = (),
        fallback: Path | None = None,
    ) -> Plan:
        """The plan of ``settings`` with the recognizer in folder ``model`` and folders of translators."""
        larger = [folder / "model.bin" for folder in set(translators)]
        return cls(
            runtime=settings.runtime,
            workers=settings.parallelism()[0],
            weights_bytes=sum(
                (each / "model.bin").stat().st_size for each in filter(None, (model, fallback))
            ),
            directions=len(settings.targets),
            larger_bytes=sum(path.stat().st_size for path in larger if path.is_file()),
            compute_type=settings.compute_type,
        )


def needed_bytes(plan: Plan) -> int:
    """Memory that ``plan`` needs at its peak, all processes together; a little more than measured."""
    narrow = plan.compute_type == "auto" or plan.compute_type.startswith("int8")
    loaded = plan.weights_bytes * (_LOADED_INT8 if narrow else _LOADED_OTHER)
    loading = plan.weights_bytes * (_LOADING_INT8 if narrow else _LOADING_OTHER)
    working = _WORKING + _WORKING_SHARE * plan.weights_bytes
    directions = plan.directions * _DIRECTION + round(plan.larger_bytes * _LARGER)
    if plan.runtime == "processes":
        each = _RECOGNIZING_PROCESS + loaded + loading + working
        return round(_PROGRAMS_APART + directions + plan.workers * each)
    sets = 1 if plan.runtime in _SHARING else plan.workers
    weights = sets * loaded + min(sets, _LOADING_AT_ONCE) * loading
    program = _PROGRAM + (_CLUSTER if plan.runtime == "ray" else 0)
    return round(program + directions + weights + plan.workers * working)


def most_workers(plan: Plan, free_bytes: int) -> int:
    """How many of its workers would fit into ``free_bytes``; 0 when not even one does."""
    return max(
        (n for n in range(1, plan.workers + 1) if _fits(replace(plan, workers=n), free_bytes)), default=0
    )


def check_memory(
    settings: Settings,
    model: Path,
    machine: Machine,
    translators: Iterable[Path] = (),
    fallback: Path | None = None,
) -> None:
    """Refuse settings that ``machine`` has no memory for.

    Weights on another device are not counted, nor those of a cluster: each of its nodes is asked itself.
    Raises ``NoRoomError`` with what is needed, what is free and what would fit.
    """
    if settings.device == "cuda" or settings.address is not None:
        return
    plan = Plan.of(settings, model, translators, fallback)
    _refuse_unless_fit(plan, plan.runtime, settings.model, machine)


def check_node(settings: Settings, model: Path, machine: Machine, fallback: Path | None = None) -> None:
    """Refuse a recognizer that a node of a cluster has no memory for; Ray itself and translators are there.

    Raises ``NoRoomError`` as ``check_memory``.
    """
    if settings.device != "cuda":
        plan = replace(Plan.of(settings, model, (), fallback), runtime="pipeline", directions=0)
        _refuse_unless_fit(plan, "a node", settings.model, machine)


def _refuse_unless_fit(plan: Plan, what: str, model: str, machine: Machine) -> None:
    if _fits(plan, machine.free_bytes):
        return
    workers = "1 worker" if plan.workers == 1 else f"{plan.workers} workers"
    most = most_workers(plan, machine.free_bytes)
    raise NoRoomError(
        f"{what} with {workers} of {model} would need {gigabytes(needed_bytes(plan))}, "
        f"{gigabytes(machine.free_bytes)} are free; {_instead(plan, model, machine.free_bytes, most)}",
        most,
    )


def gigabytes(count: int) -> str:
    """Bytes for a person: ``2.1 GB``, ``430 MB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _fits(plan: Plan, free_bytes: int) -> bool:
    return needed_bytes(plan) <= free_bytes


def _instead(plan: Plan, model: str, free_bytes: int, most: int) -> str:
    """What the user can do about it; ``most`` workers fit."""
    roads = []
    if most:
        roads.append(f"--workers {most} fits")
    if plan.runtime not in _SHARING and _fits(replace(plan, runtime="pipeline"), free_bytes):
        roads.append("--runtime pipeline shares one set of weights")
    if not roads:
        smaller = "" if model == "tiny.en" else ", or for English --model tiny.en"
        roads.append(f"close programs{smaller}")
    return ", ".join(roads)
