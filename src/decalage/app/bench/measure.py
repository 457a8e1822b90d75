"""Works through a plan: reads what is saved, launches the rest one by one, saves each as it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from decalage.app.bench.cell import Measured
from decalage.app.bench.plan import Cell, Estimates, left_out, within_budget
from decalage.app.bench.saved import SavedCells

Launch = Callable[[Cell], Measured]
Tell = Callable[[str], None]


def told(result: Measured) -> str:
    """A result in a few words."""
    if result["error"] is not None:
        return f"failed: {result['error']}"
    summary = result["summary"]
    if summary["rtf"] is not None:
        return f"RTF {summary['rtf']:.3f}"
    return f"lag {summary['lag']['p50']:.2f} s" if summary["lag"] else "no captions"


@dataclass(slots=True)
class Outcome:
    """What came of a plan."""

    results: dict[Cell, Measured] = field(default_factory=dict)
    """In the order of the plan; a failed cell has its ``error``."""
    left: list[Cell] = field(default_factory=list)
    """Not measured: over the budget."""
    interrupted: bool = False

    @property
    def failed(self) -> list[Cell]:
        """Cells that gave no result."""
        return [cell for cell, result in self.results.items() if result["error"] is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """How cells are measured and where they are kept."""

    launch: Launch
    saved: SavedCells
    tell: Tell
    now: Callable[[], float] = time.monotonic
    again: bool = False
    """Measure even what is saved."""
    budget_s: float | None = None
    noun: str = "cell"
    describe: Callable[[Measured], str] = told

    def run(self, cells: Sequence[Cell]) -> Outcome:
        """Measure ``cells``, telling the time it takes first. An interrupt ends it between two cells."""
        found = {} if self.again else self._found(cells)
        estimates = Estimates()
        for cell, result in found.items():
            _learn(estimates, cell, result)
        costs = {cell: 0.0 if cell in found else estimates.seconds(cell) for cell in cells}
        chosen, left = within_budget(cells, costs.__getitem__, self.budget_s)
        self._announce(chosen, left, found, sum(costs[cell] for cell in chosen))
        outcome = Outcome(left=left)
        try:
            self._work(chosen, found, estimates, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
        outcome.results = {cell: outcome.results[cell] for cell in cells if cell in outcome.results}
        outcome.left.sort(key=list(cells).index)
        return outcome

    def _found(self, cells: Sequence[Cell]) -> dict[Cell, Measured]:
        results = {cell: self.saved.read(cell) for cell in cells}
        return {cell: result for cell, result in results.items() if result is not None}

    def _announce(
        self, chosen: Sequence[Cell], left: Sequence[Cell], found: dict[Cell, Measured], cost_s: float
    ) -> None:
        known = f", {len(found)} of them saved" if found else ""
        plural = self.noun if len(chosen) == 1 else f"{self.noun}s"
        self.tell(f"{len(chosen)} {plural}{known}, about {minutes(cost_s)}")
        if left:
            self.tell(f"left out for the budget: {', '.join(left_out(left))}")

    def _work(
        self, chosen: Sequence[Cell], found: dict[Cell, Measured], estimates: Estimates, outcome: Outcome
    ) -> None:
        outcome.results.update({cell: found[cell] for cell in chosen if cell in found})
        missing = [cell for cell in chosen if cell not in found]
        began = self.now()
        for number, cell in enumerate(missing, 1):
            spent_s = self.now() - began
            if self.budget_s is not None and spent_s + estimates.seconds(cell) > self.budget_s:
                outcome.left += missing[number - 1 :]
                self.tell(f"the budget is spent; left out: {', '.join(left_out(missing[number - 1 :]))}")
                return
            outcome.results[cell] = result = self._one(cell)
            _learn(estimates, cell, result)
            to_come_s = sum(map(estimates.seconds, missing[number:]))
            more = f"; about {minutes(to_come_s)} more" if number < len(missing) else ""
            self.tell(f"{number}/{len(missing)} {cell.name}: {self.describe(result)}{more}")

    def _one(self, cell: Cell) -> Measured:
        began = datetime.now(UTC).isoformat(timespec="seconds")
        result = {**self.launch(cell), "measured_at": began}
        if result["error"] is None:
            self.saved.write(cell, result)
        return result


def _learn(estimates: Estimates, cell: Cell, result: Measured) -> None:
    if result["error"] is None:
        estimates.learn(cell, result["summary"]["rtf"], result["summary"]["cold_start_s"])


def minutes(seconds: float) -> str:
    """A duration for a person."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
