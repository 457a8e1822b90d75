"""An hour of real speech out of a quarter: recordings in seeded order, with pauses and levels by seed."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.clock import Waitable
from decalage.events import Caption
from scripts.evaluation import Recording, decode, gold

_SAMPLES = Path("samples")
_LEVELS_DB = (0.0, 0.0, -3.0, -6.0)
_PAUSES_S = (1.0, 4.0)
"""Longer than any end silence: no utterance holds words of two recordings."""
_CHUNK = 1_600


def english(longest_s: float = math.inf) -> list[Recording]:
    """Gold English recordings and the sample talk, up to ``longest_s`` each; all of them are 16 minutes."""
    rows = [json.loads(line) for line in (_SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()]
    talk = next(row for row in rows if row["id"] == "talk")
    path = _SAMPLES / talk["path"]
    spoken = [*gold("en", longest_s=math.inf), Recording(path, "en", talk["transcript"], decode(path))]
    return [each for each in spoken if seconds(len(each.samples)) <= longest_s]


@dataclass(frozen=True, slots=True)
class Placed:
    """A recording in a programme; its samples are ``first`` … ``end``."""

    number: int
    """Of the recordings."""
    first: int
    end: int


@dataclass
class Programme:
    """``recordings`` over and over until ``length_s`` have passed, each pass in another order.

    An ``AudioSource`` that makes its sound as it is asked for; ``placed`` says what it has given.
    """

    recordings: Sequence[Recording]
    length_s: float
    seed: int
    chunk: int = _CHUNK
    """Samples of a chunk."""
    name: str = "programme"
    duration_s: float | None = None
    placed: list[Placed] = field(default_factory=list)
    position: int = 0
    """Number of the next sample."""
    _stopped: bool = False

    def __iter__(self) -> Iterator[AudioChunk]:
        held = np.zeros(0, np.float32)
        for part in self._parts():
            held = np.concatenate([held, part])
            whole = len(held) - len(held) % self.chunk
            yield from self._chunks(held[:whole])
            held = held[whole:]
            if self._stopped:
                return
        yield from self._chunks(held)

    def stop(self) -> None:
        self._stopped = True

    def _parts(self) -> Iterator[Samples]:
        """Pause, recording, pause, recording … and a last pause."""
        chance = random.Random(self.seed)  # noqa: S311 - a seed, not a secret
        order: list[int] = []
        at = 0
        while at < sample_count(self.length_s):
            if not order:
                order = list(range(len(self.recordings)))
                chance.shuffle(order)
            number, pause = order.pop(), sample_count(chance.uniform(*_PAUSES_S))
            sound = self.recordings[number].samples * np.float32(10 ** (chance.choice(_LEVELS_DB) / 20))
            self.placed.append(Placed(number, at + pause, at + pause + len(sound)))
            at += pause + len(sound)
            yield np.zeros(pause, np.float32)
            yield sound
        yield np.zeros(sample_count(_PAUSES_S[0]), np.float32)

    def _chunks(self, sound: Samples) -> Iterator[AudioChunk]:
        for at in range(0, len(sound), self.chunk):
            chunk = AudioChunk(self.position, sound[at : at + self.chunk])
            self.position += len(chunk.samples)
            yield chunk


def by_recording(captions: Sequence[Caption], placed: Sequence[Placed]) -> list[str]:
    """What was heard in each of ``placed``: a caption belongs where its middle is nearest."""
    texts: list[list[str]] = [[] for _ in placed]
    for caption in captions:
        middle = (caption.start + caption.timing.speech_end) / 2
        distances = [max(seconds(p.first) - middle, middle - seconds(p.end)) for p in placed]
        texts[distances.index(min(distances))].append(caption.text.get(caption.source, ""))
    return [" ".join(parts) for parts in texts]


class FastClock:
    """A clock on which ``speed`` seconds pass in one: a machine that is so much slower, soaked sooner."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def now(self) -> float:
        return time.monotonic() * self.speed

    def wait(self, condition: Waitable, until: float | None) -> None:
        condition.wait(None if until is None else max(0.0, until - self.now()) / self.speed)
