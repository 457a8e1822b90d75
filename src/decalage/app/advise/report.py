"""The advice for a person, at most 80 columns, and for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from decalage.app.advise.values import Advice, Probe
from decalage.app.machine import Machine
from decalage.app.memory import gigabytes

_COLUMNS = 80


def as_json(advice: Advice, machine: Machine, probes: Sequence[Probe], saved: Path | None) -> str:
    """One object: the answer's settings, figures, reasons, and all that was measured."""
    answer = asdict(advice)
    answer.update(answer.pop("shape"))
    answer["machine"] = asdict(machine)
    answer["probes"] = [asdict(probe) for probe in probes]
    answer["saved"] = None if saved is None else str(saved)
    return json.dumps(answer, ensure_ascii=False)


def print_advice(advice: Advice, machine: Machine, probes: Sequence[Probe], stream: TextIO) -> None:
    """The answer first, then what it rests on, then what was not advised and why."""
    console = Console(file=stream, highlight=False)
    console.width = min(console.width, _COLUMNS)
    console.print(_answer(advice), style="bold", markup=False)
    for note in _notes(advice, machine):
        console.print(note, markup=False)
    console.print()
    console.print(_pairs([("machine", _machine(machine)), *((f.name, str(f)) for f in advice.figures)]))
    for probe in probes:
        console.print()
        console.print(_measured(probe))
    console.print()
    console.print("not advised", style="dim")
    console.print(_pairs([(refusal.what, refusal.why) for refusal in advice.refused]))


def _answer(advice: Advice) -> str:
    shape = advice.shape
    workers = f"--workers {shape.workers} --threads {shape.threads}"
    return f"--runtime {advice.runtime} {workers} --beam {advice.beam} --model {advice.model}"


def _notes(advice: Advice, machine: Machine) -> list[str]:
    notes = []
    if machine.crowded:
        notes.append(
            f"Other programs are at work (load average {machine.at_work:.1f}): figures are worse than this "
            "machine can do; ask again when it is quiet."
        )
    if not advice.here:
        notes.append(
            f"{advice.model} is not on this machine and its figures are estimates by its size; "
            f"to measure it: decalage models add {advice.model}, then advise again."
        )
    if not advice.keeps_up:
        notes.append("No model here keeps up with a speaker who never pauses; captions will fall behind.")
    return notes


def _machine(machine: Machine) -> str:
    features = "unknown" if machine.features is None else " ".join(machine.features) or "none"
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    free = f"{gigabytes(machine.free_bytes)} of {gigabytes(machine.total_bytes)} of memory free"
    return f"{cores}, {free}; vector units: {features}"


def _measured(probe: Probe) -> Table:
    table = Table(title=f"measured with {probe.model}", title_style="dim", title_justify="left", box=None)
    heads = ("workers × threads", "alone, s", "all busy, s", "speech, s/s")
    for head in heads:
        table.add_column(head, justify="right", style=None)
    for timing in probe.timings:
        told = (timing.alone_s, timing.loaded_s, timing.per_s * probe.utterance_s)
        table.add_row(str(timing.shape), *(f"{value:.2f}" for value in told))
    return table


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, told in rows:
        table.add_row(name, told)
    return table
