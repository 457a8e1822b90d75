"""Rounds of ``scripts.chaos`` on ``processes``: its children are killed, stopped and held up."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from decalage.config import Pace, RuntimeOptions
from decalage.errors import DecalageError
from decalage.flow.trace import Trace
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.stream import RuntimeStream
from scripts.trial_bench import Bench, Piece, Played, nothing_left, paced, read
from scripts.trial_verdict import Excused, Verdict

LIMITS = RuntimeOptions(
    vad_deadline_s=5, asr_deadline_s=5, asr_deadline_rtf=0.3, mt_deadline_s=5, mt_deadline_character_s=0.01
)
"""So that what hangs is given up in a round's time; a call takes a tenth of it."""
_USUAL_S = {"max": 1.2, "realtime": 15.0}
"""How long a piece takes: the moments to strike at are drawn from it."""
_PAUSED_S = 1.5
_LEAVE_S = 2.0
"""A capture that does not stop is waited for so long, as by the ladder of the program."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What is done to which child, and what that excuses."""

    fault: str
    victims: Sequence[str]
    """Names to choose from."""
    signals: Sequence[tuple[int, float]]
    """Each with the seconds that pass after it."""
    failures: int = 0
    recut: int = 0
    ends: bool = False
    """The capture is gone: the stream ends with what was captured."""


KILL, STOP, GO_ON = ((getattr(signal, name, 0)) for name in ("SIGKILL", "SIGSTOP", "SIGCONT"))
_ALL = 99
"""A fresh VAD process counts its frames from where it began: what it cuts may begin and end a frame apart."""
_ASR = ("asr-0", "asr-1")

STRIKES = (
    Strike("VAD killed", ("vad",), ((KILL, 0.0),), recut=_ALL),
    Strike("recognizer killed", _ASR, ((KILL, 0.0),)),
    Strike("translator killed", ("mt",), ((KILL, 0.0),)),
    Strike("capture killed", ("capture",), ((KILL, 0.0),), ends=True),
    Strike("both recognizers killed", ("both",), ((KILL, 0.0),)),
    Strike("a recognizer killed twice", ("asr-0",), ((KILL, 4.0), (KILL, 0.0)), failures=1),
    Strike("VAD hangs", ("vad",), ((STOP, 0.0),), recut=_ALL),
    Strike("recognizer hangs", _ASR, ((STOP, 0.0),)),
    Strike("translator hangs", ("mt",), ((STOP, 0.0),)),
    Strike("capture hangs", ("capture",), ((STOP, 0.0),), ends=True),
    Strike("a child held up for 1.5 s", ("vad", *_ASR, "mt", "capture"), ((STOP, _PAUSED_S), (GO_ON, 0.0))),
)


def struck(bench: Bench, strike: Strike, seed: int) -> Verdict:
    """One round in the middle of speech."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    piece, pace = chance.choice(bench.pieces), _pace(chance)
    victim, after_s = chance.choice(strike.victims), chance.uniform(0.05, 0.9) * _USUAL_S[pace]
    verdict = Verdict(strike.fault, "processes", f"seed {seed}: {victim}, {pace}, after {after_s:.2f} s")
    live = bench.live(piece) if pace == "realtime" else None
    trace, until_s = Trace(), float("inf")
    with nothing_left(verdict) as look, bench.runtime("processes", trace=trace, limits=LIMITS) as runtime:
        assert isinstance(runtime, ProcessesRuntime)  # noqa: S101 - asked for by name
        stream = runtime.run(paced(Played(piece.samples), pace), bench.options(pace))
        look()

        def hit() -> None:
            verdict.hit = not stream.ended
            _strike(runtime, stream, victim, strike)

        striking = threading.Timer(after_s, hit)
        striking.start()
        events = read(stream, verdict)
        striking.cancel()
        striking.join()
        look()
        if strike.ends and (stream.damage or stream.statistics().samples_in < len(piece.samples)):
            until_s = stream.statistics().samples_in / 16_000
            if strike.signals[0][0] == KILL and not stream.damage:
                verdict.wrong.append("a killed capture is not told")
    marks = [mark.name for mark in trace.marks()]
    verdict.retried = marks.count("retry")
    excused = Excused(failures=strike.failures, recut=strike.recut, until_s=until_s, live=live)
    verdict.hold(events, piece.unharmed, excused)
    return verdict


def _pace(chance: random.Random) -> Pace:
    return "realtime" if chance.random() < 0.5 else "max"


def _strike(runtime: ProcessesRuntime, stream: RuntimeStream, victim: str, strike: Strike) -> None:
    """Send the signals, to whichever process has the victim's part by then."""
    waited = threading.Event()
    for number, wait_s in strike.signals:
        for process in _processes(runtime, victim):
            with suppress(ProcessLookupError):
                os.kill(process, number)
        waited.wait(wait_s)
    if strike.ends and strike.signals[-1][0] == STOP:
        stream.finish()
        waited.wait(_LEAVE_S)
        stream.finish()


def _processes(runtime: ProcessesRuntime, victim: str) -> list[int]:
    if victim == "capture":
        return list(runtime.captures.values())
    names = _ASR if victim == "both" else (victim,)
    return [runtime.processes[name] for name in names]


def killed_loading(bench: Bench, seed: int) -> Verdict:
    """A child is killed while the models load: told in one error, or not needed any more."""
    chance = random.Random(seed)  # noqa: S311 - as above
    after_s = chance.uniform(0.0, 3.0)
    verdict = Verdict("a child killed while models load", "processes", f"seed {seed}: after {after_s:.2f} s")

    def strike() -> None:
        children = [child for child in multiprocessing.active_children() if child.pid]
        if children:
            verdict.hit = True
            victim = chance.choice(children)
            verdict.told += f", {victim.name}"
            victim.kill()

    with nothing_left(verdict):
        striking = threading.Timer(after_s, strike)
        striking.start()
        try:
            with bench.runtime("processes", limits=LIMITS) as runtime:
                striking.join()
                _still_serves(bench, runtime.run, chance.choice(bench.pieces), verdict)
        except DecalageError as error:
            verdict.told += f": {error}"
            verdict.failures += 1
        except Exception as error:
            verdict.wrong.append(f"{type(error).__name__}: {error}")
        striking.join()
    return verdict


def _still_serves(bench: Bench, run: Callable[..., RuntimeStream], piece: Piece, verdict: Verdict) -> None:
    events = read(run(Played(piece.samples), bench.options("max")), verdict)
    verdict.hold(events, piece.unharmed, Excused(failures=1, recut=1))


def killed_stopping(bench: Bench, seed: int) -> Verdict:
    """A child is killed or stopped while the runtime is closed in the middle of work."""
    chance = random.Random(seed)  # noqa: S311 - as above
    piece, after_s = chance.choice(bench.pieces), chance.uniform(0.1, 2.0)
    number, name = chance.choice(((KILL, "killed"), (STOP, "stopped")))
    victim = chance.choice(("vad", "asr-0", "asr-1", "mt", "capture"))
    told = f"seed {seed}: {victim} {name}, closed after {after_s:.2f} s"
    verdict = Verdict("a child killed or stopped while it closes", "processes", told)
    with nothing_left(verdict) as look, bench.runtime("processes", limits=LIMITS) as runtime:
        assert isinstance(runtime, ProcessesRuntime)  # noqa: S101 - as above
        stream = runtime.run(Played(piece.samples), bench.options("max"))
        look()

        def close() -> None:
            verdict.hit = not stream.ended
            closing = threading.Thread(target=runtime.close)
            closing.start()
            for process in _processes(runtime, victim):
                with suppress(ProcessLookupError):
                    os.kill(process, number)
            closing.join()

        striking = threading.Timer(after_s, close)
        striking.start()
        events = read(stream, verdict)
        look()
        striking.join()
    until_s = min((event.start for event in events if event.type == "failure"), default=float("inf"))
    verdict.failures = sum(event.type == "failure" for event in events)
    heard_s = max((event.end for event in events), default=0.0)
    verdict.hold(events, piece.unharmed, Excused(until_s=min(until_s, heard_s)))
    return verdict
