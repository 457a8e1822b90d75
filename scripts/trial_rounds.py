"""Rounds of ``scripts.chaos`` inside one process: engines that fail on purpose, sources that break."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from decalage.audio import SAMPLE_RATE, Samples, sample_count, seconds
from decalage.config import Pace, RuntimeName
from decalage.contracts import AudioSource
from decalage.errors import DecalageError
from decalage.events import Caption, Failure, Gap, Settled
from decalage.sources.file import FileSource
from scripts.evaluation import write_wav
from scripts.trial_bench import CHUNK, Bench, Piece, Played, nothing_left, paced, read
from scripts.trial_faults import HOW, Fault, FaultyBlueprint, How, Where
from scripts.trial_kills import LIMITS
from scripts.trial_verdict import Excused, Span, Verdict

THREADED: Sequence[RuntimeName] = ("sequential", "pipeline", "pool", "asyncio")
SOURCES = ("device lost for a while", "source raises", "source hangs", "file cut off", "file overwritten")
ENGINES: Sequence[tuple[Where, How]] = (
    *(("asr", how) for how in HOW),
    *(("mt", how) for how in HOW),
    ("vad", "error"),
    ("vad", "no memory"),
    ("vad", "late"),
    ("load", "error"),
    ("load", "no memory"),
)
_STAGES = {"vad": "segmenter", "asr": "recognizer", "mt": "translator", "load": "loading"}
_LATE_S = 11.0
"""Longer than any deadline of ``LIMITS`` for so short an utterance."""
_LEAVE_S = 2.0
_NEAR_S = 0.5
_GRID = 12_800
"""Samples: whole chunks and whole frames, so that speech after a hole is cut where it is without one."""


def title(where: Where, how: How) -> str:
    """What a row is called."""
    return f"{_STAGES[where]}: {'late beyond its deadline' if how == 'late' else how}"


def faulty(bench: Bench, where: Where, how: How, seed: int) -> Verdict:
    """An engine of a threaded runtime fails on one utterance."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    name, piece = chance.choice(THREADED), chance.choice(bench.pieces)
    pace: Pace = "realtime" if chance.random() < 0.3 else "max"
    live = bench.live(piece) if pace == "realtime" else None
    victim = chance.choice(piece.unharmed)
    fault = Fault(
        where,
        how,
        index=victim.index,
        text=victim.text["en"],
        sample=sample_count((victim.start + victim.end) / 2),
        late_s=_LATE_S,
    )
    verdict = Verdict(title(where, how), name, f"seed {seed}: utterance {victim.index}, {pace}")
    verdict.hit = True
    events: list[Settled] = []
    with nothing_left(verdict), _refused(verdict, where == "load"):
        with bench.runtime(name, FaultyBlueprint(bench.blueprint, fault), limits=LIMITS) as runtime:
            stream = runtime.run(paced(Played(piece.samples), pace), bench.options(pace))
            events = read(stream, verdict)
        if where != "load":
            _told_once(events, where, victim, verdict)
            touched = Span(victim.start, piece.duration_s if where == "vad" else victim.end)
            verdict.hold(events, piece.unharmed, Excused(touched=[touched], live=live))
    return verdict


@contextmanager
def _refused(verdict: Verdict, expected: bool) -> Iterator[None]:
    """Whether what is inside fails as it has to: in one line if it is ``expected``, else not at all."""
    try:
        yield
    except (DecalageError, MemoryError) as error:
        verdict.failures += 1
        verdict.told += f": {type(error).__name__}: {error}"
        if not expected:
            verdict.wrong.append(f"{type(error).__name__}: {error}")
    else:
        if expected:
            verdict.wrong.append("what failed to load is not told")


def _told_once(events: Sequence[Settled], where: Where, victim: Caption, verdict: Verdict) -> None:
    """The fault stands in the place of the utterance, and nowhere else."""
    failures = [event for event in events if isinstance(event, Failure)]
    if len(failures) != 1:
        verdict.wrong.append(f"{len(failures)} failures told")
    elif failures[0].stage != where or (where != "vad" and failures[0].index != victim.index):
        verdict.wrong.append(f"told as {failures[0]!r}")


def broken(bench: Bench, how: str, seed: int) -> Verdict:
    """Sound that breaks off, has a hole, or does not come."""
    chance = random.Random(seed)  # noqa: S311 - as above
    name: RuntimeName = chance.choice((*THREADED, "processes"))
    piece = chance.choice(bench.pieces)
    pace: Pace = "realtime" if chance.random() < 0.3 else "max"
    live = bench.live(piece) if pace == "realtime" else None
    at = round(chance.uniform(0.2, 0.8) * len(piece.samples)) // CHUNK * CHUNK
    length = _GRID - at % _GRID + _GRID * chance.randrange(3)
    verdict = Verdict(how, name, f"seed {seed}: at {seconds(at):.1f} s, {pace}")
    verdict.hit = True
    with (
        tempfile.TemporaryDirectory() as folder,
        nothing_left(verdict) as look,
        bench.runtime(name, limits=LIMITS) as runtime,
    ):
        source = _source(how, piece, at, length, Path(folder), chance)
        stream = runtime.run(paced(source, pace), bench.options(pace))
        look()
        leaving: list[threading.Timer] = []
        if how == "source hangs":
            after_s = _LEAVE_S + (seconds(at) if pace == "realtime" else 1.0)
            leaving = [threading.Timer(after_s + wait_s, stream.finish) for wait_s in (0.0, _LEAVE_S)]
        for each in leaving:
            each.start()
        events = read(stream, verdict)
        for each in leaving:
            each.join()
        until_s = seconds(stream.statistics().samples_in)
        damage = stream.damage
    excused = Excused(until_s=until_s, live=live)
    if how == "device lost for a while":
        hole = Span(seconds(at) - 0.1, seconds(at + length) + 0.1)
        excused = replace(excused, touched=[hole], recut=1, until_s=float("inf"))
        _declared(events, at, length, verdict)
    elif how == "file overwritten":  # a little of what was written over it may be sound
        excused = replace(excused, touched=[Span(seconds(at) - _NEAR_S, piece.duration_s)])
    if how not in ("device lost for a while", "source hangs") and damage is None:
        verdict.wrong.append("the damage is not told")
    verdict.told += f": {damage}" if damage else ""
    verdict.hold(events, piece.unharmed, excused)
    return verdict


def _declared(events: Sequence[Settled], first: int, length: int, verdict: Verdict) -> None:
    """The hole is a gap of sound that was never captured, and so it is told."""
    gaps = [event for event in events if isinstance(event, Gap)]
    told = [(sample_count(gap.start), sample_count(gap.end), gap.captured) for gap in gaps]
    if told != [(first, first + length, False)]:
        verdict.wrong.append(f"gaps {told}, the hole is {first}-{first + length}")


def _source(how: str, piece: Piece, at: int, length: int, folder: Path, chance: random.Random) -> AudioSource:
    samples = piece.samples
    if how == "device lost for a while":
        return Played(samples, hole=(at, at + length))
    if how == "source raises":
        return Played(samples, raises=(at, OSError("the device is gone")))
    if how == "source hangs":
        return Played(samples, hangs_at=at)
    # Any bytes are sound in a WAV; what an MP3 keeps of the sound would not give the same words.
    path = folder / f"piece.{chance.choice(('wav', 'flac')) if how == 'file cut off' else 'flac'}"
    write(path, samples)
    whole = path.read_bytes()
    cut = round(len(whole) * at / len(samples))
    if how == "file cut off":
        path.write_bytes(whole[:cut])
    else:
        path.write_bytes(whole[:cut] + chance.randbytes(len(whole) - cut))
    return FileSource(str(path))


def write(path: Path, samples: Samples) -> None:
    """``samples`` as a WAV or FLAC file, by its name."""
    if path.suffix == ".wav":
        write_wav(path, samples)
        return
    pcm = np.clip(np.round(samples * (1 << 15)), -(1 << 15), (1 << 15) - 1).astype("<i2")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in (*_encoded(stream, frame), *stream.encode(None)):
            container.mux(packet)


def _encoded(stream: av.AudioStream, frame: av.AudioFrame) -> list[av.Packet]:
    """Resampled to what the codec takes."""
    resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE, stream.frame_size or 4096)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return [packet for each in frames for packet in stream.encode(each)]
