"""Speakers on one runtime, one after the other in several lanes, each held to what it said."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from decalage.app.compose import RUNTIMES
from decalage.audio import seconds
from decalage.config import Policy, RuntimeOptions, SegmenterOptions, StreamOptions
from decalage.errors import StreamFinishedError
from decalage.events import Settled
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.stages.segmenter import VadSegmenter
from scripts.trial_books import Books
from scripts.trial_fakes import KeepingBlueprint, LightBlueprint, Speech, misheard
from scripts.trial_watch import Watch, leftovers

LIVE = SegmenterOptions(
    pause_s=0.2,
    revise_s=0.4,
    finished_silence_s=0.45,
    open_silence_s=0.7,
    activity=True,
    clauses=True,
)
"""As when live: sketches, pauses, ends by what the text says."""
_KEPT_WRONG = 20


@dataclass
class Account:
    """What all lanes came to; for any thread."""

    counts: Counter[str] = field(default_factory=Counter)
    """Events by type, streams by how they ended."""
    samples: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _speaking: dict[int, Speech] = field(default_factory=dict)

    def begin(self, lane: int, speech: Speech) -> None:
        """A stream has begun."""
        with self._lock:
            self._speaking[lane] = speech

    def close(self, lane: int, stream: str, books: Books, ending: str, wrong: list[str]) -> None:
        """A stream has ended."""
        with self._lock:
            given = self._speaking.pop(lane).given
            self.counts.update(books.counts)
            self.counts.update([ending, "streams"])
            self.samples.update(books.samples)
            self.samples["given"] += given
            self.counts["wrong"] += len(wrong)
            self.wrong += [f"{stream} ({ending}): {each}" for each in wrong][: _KEPT_WRONG - len(self.wrong)]

    @property
    def audio_s(self) -> float:
        """Sound given so far."""
        with self._lock:
            speaking = sum(speech.given for speech in self._speaking.values())
            return seconds(self.samples["given"] + speaking)


@dataclass(frozen=True, slots=True)
class Plan:
    """One speaker, drawn by seed."""

    speech: Speech
    options: StreamOptions
    ending: str
    """``end``, ``finish`` in the middle, ``damage``, or the reader ``leave``s."""
    captured: bool
    """Whether the runtime owns the capture; else the sound is fed."""
    stalls: bool
    """Of live sound: nobody reads before all has been said, so that it is spilled or dropped."""
    flushes: float
    """Chance of a flush after each chunk."""

    @classmethod
    def drawn(cls, lane: int, number: int, seed: int, longest_s: float) -> Plan:
        """The ``number``-th speaker of ``lane``."""
        chance = random.Random(f"{seed}/{lane}/{number}")  # noqa: S311 - a seed, not a secret
        length_s = chance.uniform(5, longest_s)
        ending = chance.choices(("end", "finish", "damage", "leave"), (12, 2, 1, 1))[0]
        live = lane % 2 == 1
        policy: Policy = chance.choice(("degrade", "drop-oldest")) if live else "block"
        speech = Speech(
            seed=chance.randrange(1 << 30),
            length_s=length_s,
            lane=lane,
            breaks_s=length_s / 2 if ending == "damage" else None,
        )
        options = StreamOptions(
            targets=chance.choice((("pt",), ("pt", "es"), ("en", "pt"))),
            segmenter=LIVE if chance.random() < 0.8 else SegmenterOptions(),
            pace="realtime" if live else "max",
            partials=chance.random() < 0.8,
            stability=chance.choice(("fast", "balanced")),
            overload=policy,
            max_lag_s=chance.choice((0.5, 10.0)),
        )
        captured = ending == "damage" or (not live and chance.random() < 0.5)
        stalls = live and not captured and ending == "end" and chance.random() < 0.2
        return cls(speech, options, ending, captured, stalls, chance.choice((0.0, 0.0, 0.02)))


class Lane:
    """Speaker after speaker, until so much has been spoken in all lanes."""

    def __init__(
        self,
        number: int,
        runtime: LocalRuntime,
        blueprint: LightBlueprint,
        account: Account,
        *,
        seed: int,
    ) -> None:
        self._number = number
        self._runtime = runtime
        self._blueprint = blueprint
        self._account = account
        self._seed = seed

    def run(self, total_s: float, longest_s: float) -> None:
        """All of them; what goes wrong is in the account."""
        number = 0
        while self._account.audio_s < total_s:
            self._one(Plan.drawn(self._number, number, self._seed, longest_s))
            number += 1

    def _one(self, plan: Plan) -> None:
        speech = plan.speech
        self._account.begin(self._number, speech)
        if plan.captured:
            stream, feeding = self._runtime.run(speech, plan.options), None
        else:
            stream = self._runtime.open(plan.options)
            feeding = threading.Thread(target=_feed, args=(stream, plan), name=f"feed-{stream.name}")
            feeding.start()
        if feeding is not None and plan.stalls:
            feeding.join()
        books, events = self._read(stream, plan)
        if feeding is not None:
            feeding.join()
        wrong = self._judge(stream, plan, books, events)
        self._account.close(self._number, stream.name, books, plan.ending, wrong)

    def _read(self, stream: RuntimeStream, plan: Plan) -> tuple[Books, list[Settled]]:
        books, events = Books(), list[Settled]()
        for event in stream:
            books.add(event)
            if isinstance(event, Settled):
                events.append(event)
            if len(events) == 3 and isinstance(event, Settled):
                if plan.ending == "finish":
                    _finish(stream, plan)
                elif plan.ending == "leave":
                    stream.finish()
                    stream.abandon("the reader left")
        return books, events

    def _judge(self, stream: RuntimeStream, plan: Plan, books: Books, events: list[Settled]) -> list[str]:
        """What is not as it must be."""
        told, speech = stream.statistics(), plan.speech
        if not speech.position:  # it was iterated in another process
            speech.replay(told.samples_in)
        if plan.ending == "leave":
            self._segmenter(stream.name)
            return [*books.wrong, *misheard(speech.said, events, 0)]
        wrong = books.compare(told)
        wrong += misheard(speech.said, events, speech.position)
        if told.samples_in != speech.given:
            wrong.append(f"{speech.given} samples given, {told.samples_in} taken in")
        if (stream.damage is not None) != (plan.ending == "damage"):
            wrong.append(f"damage {stream.damage!r}")
        segmenter = self._segmenter(stream.name)
        if segmenter is not None:
            parts = segmenter.statistics()
            if books.answered + parts.non_speech != speech.given:
                wrong.append(f"{books.answered} answered and {parts!r} of {speech.given} given")
        return wrong

    def _segmenter(self, stream: str) -> VadSegmenter | None:
        if isinstance(self._blueprint, KeepingBlueprint):
            return self._blueprint.segmenters.pop(stream)
        return None


def _finish(stream: RuntimeStream, plan: Plan) -> None:
    """In the middle, by whoever captures."""
    if plan.captured:
        stream.finish()
    else:
        plan.speech.stop()


def _feed(stream: RuntimeStream, plan: Plan) -> None:
    """Say it all. Live sound waits for its turn, unless nobody reads: what it is fed from is endless."""
    chance = random.Random(plan.speech.seed)  # noqa: S311 - as above
    live = plan.options.pace == "realtime"
    try:
        for chunk in plan.speech:
            while live and not plan.stalls and stream.waiting_s > 5 and not stream.ended:
                time.sleep(0.001)
            stream.feed(chunk)
            if chance.random() < plan.flushes:
                stream.flush()
        stream.finish()
    except StreamFinishedError:
        return


LANES = 4
_OPTIONS = RuntimeOptions(
    workers=2,
    max_inbox_s=20,
    max_spill_s=120,
    vad_deadline_s=30,
    asr_deadline_s=1.5,
    asr_deadline_rtf=0,
    mt_deadline_s=1.5,
)
"""Small bounds and short deadlines, so that both are met."""


def soak(name: str, hours: float, seed: int, longest_s: float = 400.0) -> tuple[Account, Watch, list[str]]:
    """``hours`` of speech through one runtime; what it came to, what it held, what it left."""
    blueprint = LightBlueprint(seed) if name == "processes" else KeepingBlueprint(seed)
    account, before = Account(), set(threading.enumerate())
    runtime = RUNTIMES[name](blueprint, _OPTIONS)
    total_s = hours * 3600
    with Watch(lambda: account.audio_s) as watch:
        lanes = [Lane(number, runtime, blueprint, account, seed=seed) for number in range(LANES)]
        threads = [
            threading.Thread(
                target=lane.run, args=(total_s, min(longest_s, total_s / LANES)), name=f"lane-{number}"
            )
            for number, lane in enumerate(lanes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = runtime.statistics()
    runtime.close()
    left = [f"{told.streams} streams, {told.waiting_asr} + {told.waiting_mt} waiting"] if told.streams else []
    return account, watch, left + leftovers(before) + watch.left()
