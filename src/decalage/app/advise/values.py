"""What ``advise`` is asked, what it measures and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from decalage.app.advise.shape import Shape
from decalage.config import RuntimeName

Goal: TypeAlias = Literal["live", "throughput", "memory", "many-speakers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is wanted, and which models there are to choose from."""

    goal: Goal = "live"
    model: str = "base"
    source: str = "en"
    """Language of the speech."""
    directions: int = 1
    """Translation models loaded."""
    local: Mapping[str, int]
    """Models on this machine → bytes of their files."""
    offline: bool = False
    """Whether only those may be advised."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One shape, measured."""

    shape: Shape
    alone_s: float
    """Recognition of one utterance while nothing else runs."""
    loaded_s: float
    """The same with every worker busy."""
    per_s: float
    """Utterances recognized a second, all workers together."""

    def scaled(self, cost: float) -> Timing:
        """The same of a model that takes ``cost`` times as long."""
        return Timing(self.shape, self.alone_s * cost, self.loaded_s * cost, self.per_s / cost)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a few seconds with a model told."""

    model: str
    utterance_s: float
    """Mean length of the utterances it was measured on."""
    translation_s: float
    """Translation of one of them, into all languages."""
    timings: tuple[Timing, ...]
    """The default shape first."""
    measured: bool = True
    """False: scaled from another model's."""

    def scaled(self, model: str, cost: float) -> Probe:
        """An estimate for ``model``, which takes ``cost`` times as long."""
        timings = tuple(timing.scaled(cost) for timing in self.timings)
        return replace(self, model=model, timings=timings, measured=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number behind the answer."""

    name: str
    value: float
    unit: str
    measured: bool = True
    """False: worked out or scaled from what was measured."""

    def __str__(self) -> str:
        digits = 0 if self.value >= 20 or self.value == int(self.value) else 1 if self.value >= 5 else 2
        return f"{self.value:.{digits}f} {self.unit}".strip() + ("" if self.measured else " (estimate)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not advised."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The answer."""

    goal: Goal
    runtime: RuntimeName
    shape: Shape
    model: str
    here: bool
    """Whether the model is on this machine; if not, it has to be downloaded."""
    keeps_up: bool
    """Whether a speaker who never pauses is kept up with."""
    figures: tuple[Figure, ...]
    refused: tuple[Refusal, ...]
    beam: int = 1

    def settings(self, otherwise: str) -> dict[str, str | int]:
        """Keys of the configuration file; a model that is not here yet gives way to ``otherwise``."""
        return {
            "runtime": self.runtime,
            "workers": self.shape.workers,
            "threads": self.shape.threads,
            "beam": self.beam,
            "model": self.model if self.here else otherwise,
        }
