"""Rounds of ``scripts.chaos`` on the program itself: signals, a reader that leaves, a disk that is full."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from decalage.config import RuntimeName
from decalage.errors import MalformedEventError
from decalage.events import Caption, Event, Settled, Start, Summary
from decalage.wire import from_json
from scripts.trial_bench import Bench, Piece
from scripts.trial_books import Books
from scripts.trial_run import LIMIT_S, Run
from scripts.trial_verdict import Excused, Verdict

_RUNTIMES: Sequence[RuntimeName] = ("sequential", "pipeline", "pool", "processes", "asyncio")
_ONE_LINE = 1
"""Of what a refusal says."""
_STOPPED_S = 4.0
_SLACK = 2
"""Samples: times are written to a tenth of a millisecond."""
_FULL_AT = 150
"""Bytes that fit onto the disk."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to the program, and which exit codes that may have, as a shell tells them."""

    fault: str
    signals: Sequence[int] = ()
    codes: Sequence[int] = (0,)
    before_it_runs: int | None = None
    """The exit code where it comes before anything runs: a shell's for that signal."""
    gap_s: float = 0.0
    """At most so long from one signal to the next."""
    hasty: bool = False
    """What is unfinished is given up, and told as failures."""


def _number(name: str) -> int:
    return int(getattr(signal, name))


SIGNALS = (
    Disturbance("SIGTERM", (_number("SIGTERM"),), before_it_runs=143),
    Disturbance("SIGTERM twice", (_number("SIGTERM"),) * 2, (0, 1), 143, gap_s=1.0, hasty=True),
    Disturbance("Ctrl-C", (_number("SIGINT"),), (130,), 130),
    Disturbance("Ctrl-C twice", (_number("SIGINT"),) * 2, (130,), 130, gap_s=1.0, hasty=True),
    Disturbance("the terminal is closed (SIGHUP)", (_number("SIGHUP"),), before_it_runs=129),
    Disturbance("stopped for 4 s, then on (SIGSTOP)", (_number("SIGSTOP"), _number("SIGCONT"))),
)
OUTPUTS = ("the reader of standard output leaves", "standard output on a full disk", "a file on a full disk")


def signalled(bench: Bench, how: Disturbance, seed: int) -> Verdict:
    """Signals at a random moment, while the models load too."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    piece, runtime = chance.choice(bench.pieces), chance.choice(_RUNTIMES)
    bench.live(piece)
    loading = chance.random() < 0.2
    after_s = chance.uniform(0.05, 1.5) if loading else chance.uniform(0.0, 0.95) * piece.duration_s
    moment = f"{after_s:.2f} s after {'its start' if loading else 'the first word'}"
    verdict = Verdict(how.fault, runtime, f"seed {seed}: {moment}")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(piece, runtime, Path(folder), "--format", "jsonl")
        if not loading:
            run.spoken.wait(LIMIT_S)
        time.sleep(after_s)
        run.look()
        verdict.hit = run.process.poll() is None
        for number in how.signals:
            with suppress(ProcessLookupError):
                os.kill(run.process.pid, number)
            time.sleep(_STOPPED_S if number == signal.SIGSTOP else chance.uniform(0, how.gap_s))
        code = run.end(verdict)
        events = _events(run.lines, verdict)
        run.close()
    allowed = [0] if not verdict.hit else list(how.codes)
    if not events and how.before_it_runs is not None:
        allowed = [how.before_it_runs, *allowed]
    if code not in allowed:
        verdict.wrong.append(f"exit code {code}, not {' or '.join(map(str, allowed))}")
    if events:
        _judge(events, piece, verdict, hasty=how.hasty)
    return verdict


def _judge(events: Sequence[Event], piece: Piece, verdict: Verdict, *, hasty: bool) -> None:
    """What was said up to the end is there, each index once, all accounted for."""
    books, settled = Books(slack=_SLACK), [event for event in events if isinstance(event, Settled)]
    for event in events:
        if not isinstance(event, Start | Summary):
            books.add(event)
    verdict.wrong += books.wrong
    summary = events[-1]
    if not isinstance(summary, Summary):
        verdict.wrong.append(f"ends with {summary.type}")
        return
    verdict.failures += books.counts["failure"]
    heard = round(summary.audio_s * 16_000)
    if books.answered > heard + _SLACK * len(settled):
        verdict.wrong.append(f"{books.answered} samples answered, {heard} heard")
    if summary.breach is not None:
        verdict.wrong.append(f"breach: {summary.breach}")
    unfinished = [event.start for event in settled if event.type == "failure"] if hasty else []
    until_s = min([summary.audio_s, *unfinished])
    if hasty:  # what was not segmented yet is given up
        until_s = min(until_s, max((event.end for event in settled), default=0.0))
    failures, verdict.failures = verdict.failures, 0
    verdict.hold(settled, piece.unharmed, Excused(until_s=until_s, recut=1, live=piece.live))
    verdict.failures = max(failures, verdict.failures)


def _events(lines: Sequence[str], verdict: Verdict) -> list[Event]:
    """Every line is an event; the last one may be cut off by a signal that nobody can catch."""
    events: list[Event] = []
    for number, line in enumerate(lines):
        try:
            event = from_json(json.loads(line))
        except (ValueError, MalformedEventError) as error:
            verdict.wrong.append(f"line {number} of {len(lines)}: {error}")
        else:
            events += [] if event is None else [event]
    return events


def unwritten(bench: Bench, how: str, seed: int) -> Verdict:
    """What is written cannot be: nobody reads it, or the disk is full."""
    chance = random.Random(seed)  # noqa: S311 - as above
    piece, runtime = chance.choice(bench.pieces), chance.choice(_RUNTIMES)
    bench.live(piece)
    verdict = Verdict(how, runtime, f"seed {seed}")
    verdict.hit = True
    rounds = dict(zip(OUTPUTS, (_leaves, _full_output, _full_file), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        rounds[how](_Scene(piece, runtime, Path(folder), chance), verdict)
    return verdict


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is said to whom, and where."""

    piece: Piece
    runtime: RuntimeName
    folder: Path
    chance: random.Random

    def run(self, *options: str, **popen: Any) -> Run:
        return Run(self.piece, self.runtime, self.folder, *options, **popen)


def _leaves(scene: _Scene, verdict: Verdict) -> None:
    """As ``| head``: nothing to complain about."""
    lines = scene.chance.randrange(1, 6)
    verdict.told += f": after {lines} lines"
    ours, theirs = os.pipe()
    run = scene.run("--format", "jsonl", stdout=theirs)
    os.close(theirs)
    with os.fdopen(ours) as reader:
        for _ in range(lines):
            run.lines.append(reader.readline())
        run.look()
    code = run.end(verdict)
    if code != 0 or run.errors:
        verdict.wrong.append(f"exit code {code}, said {run.errors!r}")
    _as_heard(_events(run.lines, verdict), scene.piece, verdict)
    run.close()


def _full_output(scene: _Scene, verdict: Verdict) -> None:
    with Path("/dev/full").open("wb") as full:
        run = scene.run("--format", "jsonl", stdout=full)
        run.look()
        code = run.end(verdict)
    _refused(code, run, verdict)
    run.close()


def _full_file(scene: _Scene, verdict: Verdict) -> None:
    """What was written until then is valid. Not in ``processes``: the limit holds for shared memory too."""
    scene = replace(scene, runtime="pipeline" if scene.runtime == "processes" else scene.runtime)
    verdict.runtime = scene.runtime
    path = scene.folder / f"out.{scene.chance.choice(('jsonl', 'srt', 'vtt', 'txt'))}"
    verdict.told += f": {path.suffix}"

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL_AT, _FULL_AT))

    run = scene.run("-o", str(path), preexec_fn=fill)
    run.look()
    code = run.end(verdict)
    if code == 0 and path.stat().st_size < _FULL_AT:
        verdict.hit = False  # there was room for so little text
    else:
        _refused(code, run, verdict)
    if path.suffix == ".jsonl":
        whole = [line for line in path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
        _as_heard(_events(whole, verdict), scene.piece, verdict)
    run.close()


def _refused(code: int, run: Run, verdict: Verdict) -> None:
    """One line that says what cannot be written, and the code for it."""
    told = run.errors.strip().splitlines()
    if code != 2 or len(told) != _ONE_LINE or not re.search(r"cannot write .*: ", told[0]):
        verdict.wrong.append(f"exit code {code}, said {told!r}")
    verdict.failures += 1


def _as_heard(events: Sequence[Event], piece: Piece, verdict: Verdict) -> None:
    """The captions that came out are those of an undisturbed run."""
    captions = [event for event in events if isinstance(event, Caption)]
    until_s = max((caption.end for caption in captions), default=0.0)
    failures, verdict.failures = verdict.failures, 0
    verdict.hold(captions, piece.unharmed, Excused(until_s=until_s, live=piece.live))
    verdict.failures = failures
