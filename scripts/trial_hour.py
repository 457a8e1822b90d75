"""Real speech through the real engines for an hour on the stream's clock, and how it was in each tenth."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import numpy as np

from decalage.app.bench.quality import word_errors
from decalage.app.compose import RUNTIMES, make_blueprint, stream_options
from decalage.app.settings import Settings
from decalage.audio import seconds
from decalage.config import RuntimeName
from decalage.contracts import AudioSource
from decalage.events import Caption, OverloadChanged, Partial
from decalage.sources.pace import Paced
from scripts.trial_books import Books
from scripts.trial_sound import FastClock, Programme, by_recording, english
from scripts.trial_watch import Watch, leftovers

TENTHS = 10


@dataclass
class Hour:
    """What came of it."""

    runtime: RuntimeName
    speed: float
    books: Books = field(default_factory=Books)
    captions: list[Caption] = field(default_factory=list)
    """Kept for the words: a kilobyte each."""
    partials_at: list[float] = field(default_factory=list)
    """Ends of partials, stream clock."""
    behind: list[tuple[float, float, tuple[str, ...]]] = field(default_factory=list)
    """(stream clock, seconds behind, what is given up) of each overload event."""
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Threads, processes and shared memory that are there after the end."""
    audio_s: float = 0.0
    wall_s: float = 0.0


def settings_of(runtime: RuntimeName, speed: float) -> Settings:
    """As for a listener; ``speed`` 0: the reader waits for room instead."""
    return Settings(runtime=runtime, pace="realtime" if speed else "max", partials=True, offline=True)


def listen(length_s: float, speed: float, seed: int, runtime: RuntimeName) -> tuple[Hour, Watch, Programme]:
    """All of it; ``speed`` times as fast as it is spoken, 0: as fast as it goes."""
    settings = settings_of(runtime, speed)
    blueprint = make_blueprint(settings)
    options = stream_options(settings, blueprint)
    live = replace(settings, pace="realtime").segmenter_options()
    clock = FastClock(speed or 1.0)
    programme = Programme(english(), length_s, seed)
    hour, before = Hour(runtime, speed), set(threading.enumerate())
    engines = RUNTIMES[runtime](blueprint, settings.runtime_options(), clock=clock)
    try:
        with Watch(lambda: seconds(programme.position)) as watch:
            source: AudioSource = Paced(programme, clock) if speed else programme
            stream = engines.run(source, replace(options, segmenter=live))
            for event in stream:
                hour.books.add(event)
                if isinstance(event, Caption):
                    hour.captions.append(event)
                elif isinstance(event, Partial):
                    hour.partials_at.append(event.end)
                elif isinstance(event, OverloadChanged):
                    hour.behind.append((event.time, event.behind_s, event.shedding))
        told = stream.statistics()
        hour.wrong = hour.books.compare(told)
        if told.samples_in != programme.position:
            hour.wrong.append(f"{programme.position} samples given, {told.samples_in} taken in")
        if stream.damage:
            hour.wrong.append(f"damage: {stream.damage}")
    finally:
        engines.close()
    hour.left = leftovers(before) + watch.left()
    hour.audio_s, hour.wall_s = seconds(programme.position), watch.looks[-1].wall_s
    return hour, watch, programme


@dataclass(frozen=True, slots=True)
class Tenth:
    """One of ten stretches of the recordings of a programme."""

    until_s: float
    words: int
    wer: float
    """Per cent."""
    usual_wer: float
    """Of the same recordings over the whole hour."""
    captions: int
    partials: int
    lag_p50: float | None
    """Seconds of wall time."""
    lag_p95: float | None


def tenths(hour: Hour, programme: Programme) -> list[Tenth]:
    """Words and lags by tenth; a recording belongs to the one it begins in."""
    texts = by_recording(hour.captions, programme.placed)
    counted = []
    for text, placed in zip(texts, programme.placed, strict=True):
        counted.append(word_errors(programme.recordings[placed.number].transcript, text, "en"))
    usual: dict[int, list[int]] = {}
    for placed, (errors, _) in zip(programme.placed, counted, strict=True):
        usual.setdefault(placed.number, []).append(errors)
    length_s = hour.audio_s / TENTHS
    rows = []
    for number in range(TENTHS):
        begin, end = number * length_s, (number + 1) * length_s
        inside = [n for n, p in enumerate(programme.placed) if begin <= seconds(p.first) < end]
        words = sum(counted[n][1] for n in inside)
        errors = sum(counted[n][0] for n in inside)
        expected = sum(float(np.mean(usual[programme.placed[n].number])) for n in inside)
        captions = [each for each in hour.captions if begin <= each.start < end]
        lags = [each.lag / hour.speed for each in captions if each.lag is not None]
        rows.append(
            Tenth(
                until_s=end,
                words=words,
                wer=100 * errors / max(1, words),
                usual_wer=100 * expected / max(1, words),
                captions=len(captions),
                partials=sum(begin <= at < end for at in hour.partials_at),
                lag_p50=float(np.percentile(lags, 50)) if lags else None,
                lag_p95=float(np.percentile(lags, 95)) if lags else None,
            )
        )
    return rows
