"""How far a batch is: arithmetic, and words for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Task
from decalage.app.batch.record import Record
from decalage.clock import Clock
from decalage.sinks.captions import clean, clock


class Standing:
    """Told what happens, says how much is done and how fast. Times are seconds.

    What a container says of its length counts until the file has ended.
    """

    def __init__(self, tasks: Sequence[Task], now: Clock) -> None:
        self.files = len(tasks)
        self.ended = 0
        self._now = now
        self._began = now.now()
        self._claimed = {task.name: task.duration_s or 0.0 for task in tasks}
        self._heard: dict[str, float] = {}

    def moved(self, task: Task, heard_s: float) -> None:
        """``task`` is captioned up to ``heard_s``."""
        self._heard[task.name] = heard_s

    def finish(self, outcome: Outcome) -> None:
        """Its task has ended: it was as long as what was heard, or needed no work."""
        self.ended += 1
        name = outcome.task.name
        if outcome.how == "captioned":
            self._heard[name] = outcome.audio_s
        self._claimed[name] = self._heard.setdefault(name, 0.0)

    @property
    def total_s(self) -> float:
        """Sound to be captioned, as far as is known."""
        return sum(list(self._claimed.values()))

    @property
    def done_s(self) -> float:
        """Sound captioned."""
        return sum(list(self._heard.values()))

    @property
    def wall_s(self) -> float:
        """Since the beginning."""
        return self._now.now() - self._began

    @property
    def speed(self) -> float | None:
        """Times real time; None: nothing is known."""
        return self.done_s / self.wall_s if self.done_s and self.wall_s > 0 else None

    @property
    def left_s(self) -> float | None:
        """How long the rest takes, at this speed."""
        return None if self.speed is None else max(0.0, self.total_s - self.done_s) / self.speed


def speed_before(records: Iterable[Record], fingerprint: str) -> float | None:
    """Times real time at which batches captioned before, by these settings; None: they did not.

    Files were captioned several at a time: an hour counts once, however many were in work.
    """
    spans = sorted(
        (record.began, record.ended, record.audio_s)
        for record in records
        if record.fingerprint == fingerprint and record.taken_from is None
    )
    busy_s, until = 0.0, float("-inf")
    for began, ended, _ in spans:
        busy_s += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return sum(audio_s for _, _, audio_s in spans) / busy_s if busy_s > 0 else None


def length(seconds: float) -> str:
    """A stretch of sound or of time, for a person."""
    return f"{seconds / 3600:.1f} h" if seconds >= 36_000 else clock(seconds)


def times(speed: float | None) -> str:
    """A speed, with its unit."""
    if speed is None:
        return "speed unknown"
    return f"{speed:.0f} × real time" if speed >= 10 else f"{speed:.1f} × real time"


def printable(name: object) -> str:
    """A name as a terminal may show it: one line of Unicode, whatever it is made of."""
    return clean(str(name).encode("utf-8", "replace").decode())


def line(outcome: Outcome) -> str:
    """What became of one file."""
    name, record, told = printable(outcome.task.path), outcome.record, why(outcome)
    reason = f": {told}" if told else ""
    if record is None:
        return f"{name}: {outcome.state}{reason}"
    if outcome.how == "written":
        return f"{name}: {outcome.state}, written from its events{reason}"
    if outcome.how != "captioned":
        made = "before" if record.taken_from is None else f"as {printable(record.taken_from)}"
        return f"{name}: {outcome.state} {made}{reason}"
    speed = record.audio_s / outcome.wall_s if outcome.wall_s > 0 else None
    captions = plural(record.captions, "caption")
    if record.gaps:
        captions += f", {plural(record.gaps, 'gap')} in the sound"
    quality = "" if record.quality == "done" else f"{record.quality}, "
    return (
        f"{name}: {quality}{captions}, {length(record.audio_s)} in {length(outcome.wall_s)}, "
        f"{times(speed)}{reason}"
    )


def plural(count: int, what: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def why(outcome: Outcome) -> str:
    """What is wrong with it, without its name; empty: nothing is."""
    told = (outcome.error or "").removeprefix(str(outcome.task.path)).lstrip(": ")
    return printable(told.removeprefix(f"is {outcome.state}: "))
