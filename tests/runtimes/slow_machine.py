"""A machine in simulated time: one recognizer of a given speed, a real stream and a real schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from decalage.config import RuntimeOptions, SegmenterOptions, StreamOptions
from decalage.events import OverloadChanged, Settled
from decalage.flow.schedule import Schedule
from decalage.flow.statistics import StreamStatistics
from decalage.runtimes.calls import EngineCalls, RecognizedJob, conclude
from decalage.runtimes.job import Job
from decalage.runtimes.local import nothing
from decalage.runtimes.stream import RuntimeStream
from decalage.speech import Transcript
from decalage.testing import ManualClock
from decalage.testing.engines import ForeseeingSegmenter, heard, silence, tone

TICK_S = 0.1
LIVE = StreamOptions(targets=("en",), pace="realtime", partials=True, segmenter=SegmenterOptions(pause_s=0.2))


def talk(seconds: float, spoken_s: float = 3.0, silent_s: float = 1.0) -> Samples:
    """``seconds`` of words one after the other, a silence after each."""
    count = int(seconds / (spoken_s + silent_s))
    parts = [part for word in range(1, count + 1) for part in (tone(word, spoken_s), silence(silent_s))]
    return np.concatenate(parts)


@dataclass
class Course:
    """What came of it."""

    events: list[Any] = field(default_factory=list)
    statistics: StreamStatistics | None = None
    sketched: list[float] = field(default_factory=list)
    """Stream clock when the recognition of a growing caption began."""
    marks: list[str] = field(default_factory=list)
    """What a trace would show."""
    behind: list[tuple[float, float]] = field(default_factory=list)
    """(stream clock, seconds behind) at each tick."""

    def of(self, kind: str) -> list[Any]:
        """The events of one type."""
        return [event for event in self.events if event.type == kind]

    @property
    def changes(self) -> list[OverloadChanged]:
        """What was told of overload."""
        return self.of("overload")


def live_through(
    sound: Samples,
    speed: Callable[[float], float],
    options: StreamOptions = LIVE,
    limits: RuntimeOptions | None = None,
    *,
    still: tuple[float, float] = (0.0, 0.0),
) -> Course:
    """Speak ``sound`` to a recognizer that needs ``speed(now)`` seconds for a second of sound.

    ``still``: from when to when of the machine's clock no sound comes; then it goes on where it was.
    """
    clock, course = ManualClock(), Course()
    stream = RuntimeStream(
        "s",
        options,
        ForeseeingSegmenter("s"),
        limits=limits or RuntimeOptions(),
        clock=clock,
        wake=lambda _: nothing(),
        mark=lambda name, _: course.marks.append(name),
    )
    calls, waiting = EngineCalls(clock=clock), Schedule[Job]()
    work: tuple[Job, float, float, tuple[str, ...]] | None = None  # since and until when, degraded
    reader, step, place, settled = iter(stream), round(TICK_S * SAMPLE_RATE), 0, 0
    while not stream.ended:
        clock.advance(TICK_S)
        if place < len(sound) and not still[0] < clock.now() <= still[1]:
            stream.feed(AudioChunk(place, sound[place : place + step]))
            place += step
            if place >= len(sound):
                stream.finish()
        while stream.claim():
            if (job := stream.cut()) is not None:
                waiting.add(job.utterance, job)
            stream.release()
        if work is not None and work[2] <= stream.now() + 1e-6:
            job, since, until, degraded = work
            stream.serve("asr", job.utterance, until - since)
            said = Transcript(f"word {heard(job.utterance.samples)}", "en")
            conclude(calls.begin(RecognizedJob(job, said, since, until, degraded)))
            work = None
        while work is None and (next_job := waiting.take()) is not None:
            if stream.start(next_job):
                _, degraded = stream.eased(options.recognizer)
                now = stream.now()
                course.sketched += [now] if next_job.utterance.sketch else []
                work = (next_job, now, now + speed(now) * next_job.utterance.duration, degraded)
        course.behind.append((stream.now(), stream.behind_s))
        while settled < stream.statistics().settled:  # all of these are in the outbox: this never waits
            course.events.append(next(reader))
            settled += isinstance(course.events[-1], Settled)
    course.events += list(reader)
    course.statistics = stream.statistics()
    return course
