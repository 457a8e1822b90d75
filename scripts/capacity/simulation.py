"""A machine with any number of cores, and any number of speakers on it, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.clock import Clock
from decalage.config import RuntimeOptions
from decalage.events import Caption, Settled
from decalage.flow.schedule import Schedule
from decalage.runtimes.calls import EngineCalls, RecognizedJob, Translations, conclude
from decalage.runtimes.job import Job
from decalage.runtimes.local import nothing
from decalage.runtimes.stream import RuntimeStream
from decalage.speech import Cut, Transcript, Utterance
from decalage.testing import ManualClock
from scripts.capacity.script import Script
from scripts.room_sizes import begins_s

_STEP_S = 0.005
_FEED_S = 0.1
_SILENCE = np.zeros(round(_FEED_S * SAMPLE_RATE), np.float32)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the speakers share."""

    cores: int = 2
    workers: int = 2
    pair_cost: float = 1.0
    """How much longer a recognition takes while another is at work beside it: they share memory and cache."""
    session_cores: float = 0.0
    """Cores that a session takes beside recognition and translation."""
    fixed_cores: float = 0.0
    """Cores that are taken however many there are, while one speaks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of all speakers together. Seconds, percent of all cores."""

    lag_p50: float
    lag_p95: float
    cpu: float
    partials_per_minute: float


class _Scripted:
    """A segmenter that cuts where it was cut when it was measured."""

    def __init__(self, stream: str, script: Script) -> None:
        self._stream = stream
        self._left = list(script.cuts)
        self._came = 0

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        self._came += len(chunk.samples)
        due = [cut for at, cut in self._left if at <= self._came]
        self._left = self._left[len(due) :]
        return [self._own(cut) for cut in due]

    def flush(self) -> list[Cut]:
        return []

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        raise NotImplementedError(f"{first}, {length}, {captured}: a scripted speaker has no holes")

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        """Its ends are in the script."""

    def finish(self) -> list[Cut]:
        left, self._left = self._left, []
        return [self._own(cut) for _, cut in left if isinstance(cut, Utterance) and cut.final]

    def _own(self, cut: Cut) -> Cut:
        return replace(cut, stream=self._stream) if isinstance(cut, Utterance) else cut


class _Speaker:
    """One stream, fed ten times a second from ``begins_s`` on."""

    def __init__(self, number: int, script: Script, begins_s: float, clock: Clock) -> None:
        self.script = script
        self.next_s = begins_s
        self.stream = RuntimeStream(
            f"s{number}",
            script.options,
            _Scripted(f"s{number}", script),
            limits=RuntimeOptions(),
            clock=clock,
            wake=lambda _: nothing(),
        )
        self._came = 0
        self._reader = iter(self.stream)
        self._settled = 0

    @property
    def talks(self) -> bool:
        """Whether it has begun and not come to its end."""
        return 0 < self._came < self.script.samples

    def read(self) -> list[float]:
        """The lags of the captions that have come."""
        lags = []
        while self._settled < self.stream.statistics().settled:  # all of these are there: this never waits
            event = next(self._reader)
            self._settled += isinstance(event, Settled)
            if isinstance(event, Caption) and event.lag is not None:
                lags.append(event.lag)
        return lags

    def speak(self, now: float) -> None:
        """What has been said by ``now``."""
        while self._came < self.script.samples and now >= self.next_s - 1e-9:
            chunk = _SILENCE[: self.script.samples - self._came]
            self.stream.feed(AudioChunk(self._came, chunk))
            self._came += len(chunk)
            self.next_s += _FEED_S
            if self._came >= self.script.samples:
                self.stream.finish()

    def cut(self) -> list[Job]:
        """What there is to do."""
        jobs = []
        while self.stream.claim():
            if (job := self.stream.cut()) is not None:
                jobs.append(job)
            self.stream.release()
        return jobs


@dataclass(slots=True)
class _Task:
    """Work under way: seconds that are left of it."""

    job: Job
    left_s: float
    since_s: float
    whole_s: float
    recognized: Translations | None = None


class _Engines:
    """``workers`` recognitions and one translation at a time, on cores that all share."""

    def __init__(self, machine: Machine, scripts: dict[str, Script], clock: Clock) -> None:
        self._machine = machine
        self._scripts = scripts
        self._calls = EngineCalls(clock=clock)
        self._to_recognize: Schedule[Job] = Schedule()
        self._to_translate: Schedule[RecognizedJob] = Schedule()
        self._recognizing: list[_Task] = []
        self._translating: list[_Task] = []
        self._heard: set[tuple[str, int]] = set()  # streams and indices of which something was recognized
        self.busy_s = 0.0
        self.partials = 0.0

    def add(self, job: Job) -> None:
        self._to_recognize.add(job.utterance, job)

    def work(self, free_cores: float) -> None:
        """One step of time."""
        self._take()
        tasks = [*self._recognizing, *self._translating]
        speed = min(1.0, free_cores / len(tasks)) if tasks else 0.0
        pair = self._machine.pair_cost if len(self._recognizing) > 1 else 1.0
        for task in tasks:
            slower = 1.0 if task.recognized else pair
            done_s = min(task.left_s, _STEP_S * speed / slower)
            task.left_s -= done_s
            self.busy_s += done_s * slower
        for task in [task for task in self._recognizing if task.left_s <= 0]:
            self._recognizing.remove(task)
            self._recognized(task)
        for task in [task for task in self._translating if task.left_s <= 0]:
            self._translating.remove(task)
            self._translated(task)

    def _take(self) -> None:
        most_sketches = max(1, self._machine.workers - 1)
        while len(self._recognizing) < self._machine.workers:
            sketches = sum(task.job.utterance.sketch for task in self._recognizing)
            job = self._to_recognize.take(sketches=sketches < most_sketches)
            if job is None:
                break
            if job.stream.start(job):
                drafted = (job.stream.name, job.utterance.index) in self._heard
                cost_s = self._scripts[job.stream.name].service_s(job.utterance, drafted=drafted)
                self._recognizing.append(_Task(job, cost_s, job.stream.now(), cost_s))
        while not self._translating and (recognized := self._to_translate.take()) is not None:
            job = recognized.job
            if job.stream.wants(job):
                cost_s = self._scripts[job.stream.name].mt_s * job.utterance.duration
                begun = self._calls.begin(recognized)
                self._translating.append(_Task(job, cost_s, job.stream.now(), cost_s, begun))

    def _recognized(self, task: _Task) -> None:
        job = task.job
        self._heard.add((job.stream.name, job.utterance.index))
        job.stream.serve("asr", job.utterance, task.whole_s)
        text = f"utterance {job.utterance.index} as of revision {job.utterance.revision}"
        done = RecognizedJob(job, Transcript(text, "en"), task.since_s, job.stream.now())
        self._to_translate.add(job.utterance, done)

    def _translated(self, task: _Task) -> None:
        assert task.recognized is not None  # noqa: S101
        task.job.stream.serve("mt", task.job.utterance, task.whole_s)
        task.recognized.text["pt"] = "dito"
        conclude(task.recognized)
        if not task.job.utterance.final:
            self.partials += self._scripts[task.job.stream.name].shown


def simulate(script: Script, count: int, machine: Machine) -> Outcome:
    """``count`` speakers of ``script``, as ``scripts.rooms`` has them."""
    clock = ManualClock()
    speakers = [_Speaker(number, script, begins_s(number, count), clock) for number in range(count)]
    engines = _Engines(machine, {each.stream.name: script for each in speakers}, clock)
    background_s, lags = 0.0, []
    while not all(each.stream.ended for each in speakers):
        clock.advance(_STEP_S)
        now = clock.now()
        for each in speakers:
            each.speak(now)
            for job in each.cut():
                engines.add(job)
        talking = sum(each.talks for each in speakers)
        background = machine.fixed_cores * (talking > 0) + machine.session_cores * talking
        background = min(machine.cores - 0.05, background)
        background_s += background * _STEP_S
        engines.work(machine.cores - background)
        lags += [lag for each in speakers for lag in each.read()]
    p50, p95 = np.percentile(lags, [50, 95])
    cpu = 100 * (engines.busy_s + background_s) / (clock.now() * machine.cores)
    minutes = count * script.samples / SAMPLE_RATE / 60
    return Outcome(float(p50), float(p95), cpu, engines.partials / minutes)
