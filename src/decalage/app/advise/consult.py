"""Measures what the rule needs to know, asks it, and measures what it would rather have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from decalage.app.advise.ladder import SMALLEST
from decalage.app.advise.rule import advise, plan_of, runtime_of
from decalage.app.advise.shape import Shape, shapes
from decalage.app.advise.values import Advice, Probe, Question
from decalage.app.machine import Machine
from decalage.app.memory import needed_bytes
from decalage.store.models import list_models


def consult(
    question: Question, machine: Machine, measure: Callable[[str, Sequence[Shape]], Probe]
) -> tuple[Advice, list[Probe]]:
    """The advice and what was measured for it; ``measure`` loads a model that is here, in shapes that fit.

    A model advised by estimate that is on this machine is measured too, and the rule asked again.
    Raises ``UsageError`` when nothing fits, and what ``measure`` raises.
    """
    probes: dict[str, Probe] = {}
    model = _first(question, machine)
    while True:
        probes[model] = measure(model, _fitting(question, machine, model) or [Shape(1, machine.cores)])
        advice = advise(question, machine, probes)
        if advice.model in probes or not advice.here:
            return advice, list(probes.values())
        model = advice.model


def local_models(model: str, folder: Path) -> dict[str, int]:
    """Recognizers on this machine → bytes of their files; ``model``, in ``folder``, is one of them."""
    known = {
        record.name: round(1e6 * record.size_mb)
        for record in list_models()
        if record.kind == "recognizer" and record.size_mb is not None
    }
    return {**known, model: (folder / "model.bin").stat().st_size}


def _first(question: Question, machine: Machine) -> str:
    """The user's model, or tiny.en where only that can be loaded."""
    smaller = question.source == "en" and SMALLEST in question.local
    if smaller and not _fitting(question, machine, question.model):
        return SMALLEST if _fitting(question, machine, SMALLEST) else question.model
    return question.model


def _fitting(question: Question, machine: Machine, model: str) -> list[Shape]:
    """The shapes worth measuring that there is memory for."""
    runtime = runtime_of(question)
    return [
        shape
        for shape in shapes(machine.cores)
        if needed_bytes(plan_of(question, runtime, shape.workers, model)) <= machine.free_bytes
    ]
