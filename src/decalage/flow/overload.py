"""What a stream does when the machine is too slow for it: the one place where that is decided.

::

    behind > 3 s ──▶ partials ──▶ speculation ──▶ beam ──▶ model       given up one after the other
    behind ≤ 1 s ◀── ─────────────────────────────────────────         taken back in reverse, slowly

    degrade       every final utterance is kept; sound that memory has no room for waits on the disk
    drop-oldest   what cannot be answered within ``max_lag_s`` becomes a declared gap, the oldest first
    block         at full speed only: the reader waits, and nothing is ever late

Pure: no thread, no clock of its own, no engine. Times are seconds on the stream clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from decalage.config import RecognizerOptions, StreamOptions
from decalage.events import OverloadChanged
from decalage.speech import Utterance

Step: TypeAlias = Literal["partials", "speculation", "beam", "model"]
"""Captions that grow; work on a pause that may be an end; the width of the search; the large model."""

USUAL_S = 1.5
"""What speech may wait for its answer before it counts as late."""
_MARGIN = 0.9
"""Share of ``max_lag_s`` that an estimate may fill: the rest is for its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hysteresis:
    """When a step is taken and when it is taken back."""

    behind_s: float = 3.0
    """Later than that: the next step is given up."""
    on_time_s: float = 1.0
    """Late by no more than that: the last one may come back."""
    effect_s: float = 2.0
    """A step has so long to work before the next one follows."""
    calm_s: float = 5.0
    """On time for so long before each step back."""


class Shedding:
    """The ladder of one stream: which of ``steps`` are given up, the first ones first."""

    def __init__(self, steps: Sequence[Step], hysteresis: Hysteresis | None = None) -> None:
        self._steps = tuple(steps)
        self._limits = hysteresis or Hysteresis()
        self._level = 0
        self._changed_at = float("-inf")
        self._calm_since: float | None = None
        self._observed_at = float("-inf")
        self._since: dict[Step, float] = {}
        self._spent: dict[Step, float] = {}

    def __repr__(self) -> str:
        return f"<Shedding {', '.join(self.shed) or 'nothing'} of {', '.join(self._steps)}>"

    @property
    def shed(self) -> tuple[Step, ...]:
        """What is given up now."""
        return self._steps[: self._level]

    def observe(self, now: float, behind_s: float) -> bool:
        """How late the stream is at ``now``; True where a step was made."""
        limits = self._limits
        self._follow(now)
        if behind_s > limits.on_time_s:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        if behind_s > limits.behind_s and self._level < len(self._steps):
            if now - self._changed_at < limits.effect_s:
                return False
            self._since[self._steps[self._level]] = now
            self._level += 1
        elif self._level and self._calm_since is not None and now - self._calm_since >= limits.calm_s:
            self._level -= 1
            step = self._steps[self._level]
            self._spent[step] = self._spent.get(step, 0.0) + now - self._since.pop(step)
            self._calm_since = now
        else:
            return False
        self._changed_at = now
        return True

    def _follow(self, now: float) -> None:
        """A stream clock that goes back takes with it what is remembered by it."""
        if (back := self._observed_at - now) > 0:
            self._changed_at -= back
            self._calm_since = None if self._calm_since is None else self._calm_since - back
            self._since = {step: since - back for step, since in self._since.items()}
        self._observed_at = now

    def seconds(self, now: float) -> Mapping[str, float]:
        """For how long each step was in force up to ``now``; those that never were are left out."""
        running: dict[str, float] = {step: now - since for step, since in self._since.items()}
        return {
            step: self._spent.get(step, 0.0) + running.get(step, 0.0)
            for step in self._steps
            if step in self._spent or step in running
        }


class ServiceTime:
    """How long an utterance takes, by its length, from those that were done lately."""

    _KEPT = 0.8
    """Share of what is known that each new call leaves: about the last five count."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[float, float]] = {}  # stage → (seconds of work, seconds of sound)

    def took(self, stage: str, sound_s: float, service_s: float) -> None:
        """``stage`` needed ``service_s`` for ``sound_s`` of sound."""
        work, sound = self._work.get(stage, (0.0, 0.0))
        self._work[stage] = (self._KEPT * work + service_s, self._KEPT * sound + sound_s)

    def of(self, sound_s: float) -> float:
        """Seconds that all stages need for so much sound; 0 while nothing is known."""
        return sound_s * sum(work / sound for work, sound in self._work.values() if sound)


class Overload:
    """The policy of one stream and where it stands. Its stream guards it with a lock."""

    def __init__(self, options: StreamOptions) -> None:
        live = options.pace == "realtime"
        self.policy = options.overload if live else "block"
        self._max_lag_s = options.max_lag_s if self.policy == "drop-oldest" else None
        self._ladder = Shedding(_steps(options) if live else ())
        self._service = ServiceTime()
        self._tried = float("-inf")  # when an utterance was last given to a recognizer

    def __repr__(self) -> str:
        return f"<Overload {self.policy} {self._ladder!r}>"

    @property
    def shed(self) -> tuple[Step, ...]:
        """What is given up now."""
        return self._ladder.shed

    @property
    def max_lag_s(self) -> float | None:
        """No caption is told later than that after its speech; None: there is no such bound."""
        return self._max_lag_s

    def observe(self, now: float, behind_s: float) -> OverloadChanged | None:
        """How late the stream is; what there is to tell of it, if anything changes."""
        if not self._ladder.observe(now, behind_s):
            return None
        return OverloadChanged(now, behind_s, self.policy, self.shed)

    def seconds(self, now: float) -> Mapping[str, float]:
        """For how long each step was in force."""
        return self._ladder.seconds(now)

    def took(self, stage: str, utterance: Utterance, service_s: float) -> None:
        """``stage`` needed ``service_s`` for ``utterance``."""
        self._service.took(stage, utterance.duration, service_s)

    def spares(self, utterance: Utterance) -> bool:
        """Whether the work on a provisional ``utterance`` is given up."""
        step: Step = "partials" if utterance.sketch else "speculation"
        return not utterance.final and step in self.shed

    def eased(self, options: RecognizerOptions) -> RecognizerOptions:
        """``options`` for the recognition that begins now."""
        if "beam" in self.shed:
            options = replace(options, beam=1)
        return replace(options, lighter=True) if "model" in self.shed else options

    def too_late(self, utterance: Utterance, now: float) -> bool:
        """Whether a final ``utterance`` that a recognizer would begin with now is to be dropped.

        Once nothing has been tried for ``max_lag_s``, it is tried all the same: the machine may have become
        faster, and only that would show it.
        """
        if self._max_lag_s is None:
            return False
        expected_s = now + self._service.of(utterance.duration) - utterance.speech_end
        if expected_s > _MARGIN * self._max_lag_s and now - self._tried < self._max_lag_s:
            return True
        if now - utterance.speech_end > self._max_lag_s:
            return True  # whatever the machine does, this one is late
        self._tried = now
        return False


def _steps(options: StreamOptions) -> list[Step]:
    """What a stream with these options has to give up."""
    wanted: dict[Step, bool] = {
        "partials": options.partials,
        "speculation": options.segmenter.pause_s is not None,
        "beam": options.recognizer.beam > 1,
        "model": options.lighter,
    }
    return [step for step, there in wanted.items() if there]
