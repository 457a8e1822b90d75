"""Killing `decalage live` in the middle of speech, and resuming it: what is lost, and what is said twice.

    python -m scripts.killed [--times N] [--seed S] [--keep FOLDER]

Real speech is played into a sound server of its own; a real ``decalage live`` listens to it through a real
capture device and is killed (SIGKILL) after 5 to 25 s, at a moment drawn from the seed. Then ``decalage
resume``; each third one is killed too, and resumed again. What is checked is read from the journal alone.
A second recorder of the same device says what had been played by the kill; the words are compared with
those of a run over the journaled sound that was not cut. Prints two Markdown tables; exits with 1 where an
index or a sample has not exactly one answer.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from decalage.app.compose import make_blueprint, make_runtime, start_event, stream_options
from decalage.app.resumed import Resumed, settings_of
from decalage.app.session import Session
from decalage.app.settings import Settings
from decalage.audio import SAMPLE_RATE, Samples, seconds
from decalage.events import Caption, Settled
from decalage.runtimes.local import LocalRuntime
from decalage.store.journal_reader import read_journal
from decalage.store.journal_unfinished import Reopened, Unfinished
from scripts.evaluation import decode, joined, table
from scripts.journal_checks import split_errors, voiced, whole_sound, wrong
from tests.app.sound_kit import SAMPLES, SoundServer, live, next_event

_PAREC = (
    *("parec", "--device=speech.monitor", "--raw", "--format=s16le", "--rate=16000", "--channels=1"),
    "--latency-msec=20",
)
_SPOKEN = SAMPLES / "talk.flac"
_AFTER_S = (5.0, 25.0)
"""Of playing, until the kill."""
_AGAIN_S = (0.5, 4.0)
"""Until the kill of a resume: some are not done with loading their models by then, some are done."""
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one kill came to. Times in seconds."""

    killed_after: float
    heard: float
    lost: float
    """Of what had been played, not on the disk."""
    unanswered: float
    before: int
    """Answers there before the kill."""
    after: int
    """Answers by resuming."""
    took: float
    voiced: float
    """Speech outside of any answer."""
    live: tuple[int, int]
    """(errors, words) of the captions of before, against a run that was not cut."""
    rest: tuple[int, int]
    """The same, of those by resuming."""
    resumes: int
    wrong: tuple[str, ...]
    """What should not be."""


class Recorder:
    """Hears the device as well, and knows how much of it had come at any moment."""

    def __init__(self, server: SoundServer) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            _PAREC,
            env=server.environment,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """Samples so far."""
        return len(self._data) // 2

    def close(self) -> Samples:
        """Everything that was heard."""
        self._process.terminate()
        self._process.wait(_LIMIT_S)
        self._thread.join(_LIMIT_S)
        return np.frombuffer(bytes(self._data[: 2 * self.count]), "<i2").astype(np.float32) / np.float32(
            32_768
        )

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        while data := self._process.stdout.read(640):
            self._data += data


@contextmanager
def playing(server: SoundServer, spoken: Samples) -> Iterator[None]:
    """``spoken`` is heard from the device, until the end of this."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(SAMPLE_RATE)
            sound.writeframes((spoken * 32_767).astype("<i2").tobytes())
        file.flush()
        player = subprocess.Popen(  # noqa: S603
            ["paplay", "--device=speech", file.name],  # noqa: S607
            env=server.environment,
        )
        try:
            yield
        finally:
            player.kill()
            player.wait(_LIMIT_S)


def killed(server: SoundServer, spoken: Samples, after_s: float) -> tuple[Path, float]:
    """The journal of a session that was killed, and how much of what it could hear is not in it, seconds."""
    recorder = Recorder(server)
    process = live(server, "--input", "speech.monitor", "--format", "jsonl", "--no-save")
    next_event(process, "start")
    threading.Thread(target=_drain, args=(process,), daemon=True).start()
    with playing(server, spoken):
        time.sleep(after_s)  # of real time: the device is real
        process.kill()
        played = recorder.count
        process.wait(_LIMIT_S)
    reference = recorder.close()
    folder = max(server.journals.iterdir())
    heard = whole_sound(read_journal(folder))
    return folder, seconds(played - _place(heard, reference) - len(heard))


def _drain(process: subprocess.Popen[str]) -> None:
    """Nobody else empties its pipe."""
    assert process.stdout is not None  # noqa: S101
    while process.stdout.read(1 << 16):
        continue


def _place(part: Samples, whole: Samples) -> int:
    """Where ``part`` begins in ``whole``, by their correlation."""
    size = 1 << (len(part) + len(whole)).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    return int(np.argmax(product[: len(whole)]))


def resumed(server: SoundServer, folder: Path, chance: random.Random, *, kill: bool) -> tuple[int, float]:
    """How often it was resumed until it was done, and how long the last time took."""
    command = [sys.executable, "-m", "decalage", "resume", folder.name, "--offline", "--format", "jsonl"]
    times = 0
    while True:
        times += 1
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603
            command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        limit_s = chance.uniform(*_AGAIN_S) if kill and times == 1 else _LIMIT_S
        try:
            _, told = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            continue
        if process.returncode:
            raise RuntimeError(f"resume ended with {process.returncode}: {told}")
        return times, time.monotonic() - began


def uncut(runtime: LocalRuntime, settings: Settings, folder: Path) -> list[Caption]:
    """The captions of the journaled sound by a run that was not cut."""
    with tempfile.TemporaryDirectory() as other:
        copy = Path(shutil.copytree(folder, Path(other) / folder.name))
        (copy / "events.jsonl").write_bytes(b"")
        with closing(Reopened(copy)) as journal:
            keeping = Resumed(journal, sys.exit)
            blueprint = make_blueprint(settings)
            start = start_event(settings, blueprint, "journal", runtime.options.workers)
            source, options = keeping.begin(keeping.source, start, stream_options(settings, blueprint))
            session = Session(runtime, runtime.run(source, options), start)
            return [event for event in keeping.told(session) if isinstance(event, Caption)]


def one(server: SoundServer, runtime: LocalRuntime, spoken: Samples, seed: int) -> Row:
    """Kill, resume, look."""
    chance = random.Random(seed)  # noqa: S311
    after_s = chance.uniform(*_AFTER_S)
    folder, lost_s = killed(server, np.roll(spoken, chance.randrange(len(spoken))), after_s)
    before = Unfinished.of(read_journal(folder))
    times, took_s = resumed(server, folder, chance, kill=seed % 3 == 0)
    after = read_journal(folder)
    captions = [each.event for each in after.events if isinstance(each.event, Caption)]
    said = [[each for each in captions if (each.index >= before.next_index) is new] for new in (False, True)]
    whole = uncut(runtime, settings_of(before, Settings(targets=())), folder)
    live_words, rest_words = split_errors(joined(whole, "en"), *(joined(part, "en") for part in said))
    return Row(
        killed_after=after_s,
        heard=seconds(before.heard),
        lost=lost_s,
        unanswered=seconds(max(0, before.heard - before.answered)),
        before=len(before.settled),
        after=sum(isinstance(each.event, Settled) for each in after.events) - len(before.settled),
        took=took_s,
        voiced=voiced(after),
        live=live_words,
        rest=rest_words,
        resumes=times,
        wrong=tuple(wrong(before, after)),
    )


def report(rows: Sequence[Row]) -> str:
    """Two tables: what must be none, and what it was like."""
    again = sum(row.resumes > 1 for row in rows)
    faults: list[list[object]] = [
        [f"sessions killed, and resumed ({again} of them twice)", len(rows)],
        ["answers there before the kill", sum(row.before for row in rows)],
        ["answers by resuming", sum(row.after for row in rows)],
        [
            "sessions with an index or a sample that has not exactly one answer",
            sum(bool(row.wrong) for row in rows),
        ],
        ["speech in no answer, s in all", sum(row.voiced for row in rows)],
        ["words by resuming", sum(row.rest[1] for row in rows)],
        ["of them unlike those of a run that was not cut, %", _rate([row.rest for row in rows])],
        ["the same, of words before the kill, %", _rate([row.live for row in rows])],
    ]
    spread: list[list[object]] = []
    for name, told in (
        ("killed_after", "killed so long after the speech began, s"),
        ("heard", "in the journal, s"),
        ("lost", "heard by the device and not in the journal, s"),
        ("unanswered", "in the journal without an answer, s"),
        ("took", "time to resume, models loaded in it, s"),
    ):
        values = [float(getattr(row, name)) for row in rows]
        spread.append([told, min(values), float(np.median(values)), max(values)])
    wrongs = [f"{number}: {', '.join(row.wrong)}" for number, row in enumerate(rows) if row.wrong]
    tables = [table(["", "in all"], faults), table(["", "least", "median", "most"], spread, digits=3)]
    return "\n\n".join([*tables, *wrongs])


def _rate(counts: Sequence[tuple[int, int]]) -> float:
    return 100 * sum(errors for errors, _ in counts) / max(1, sum(words for _, words in counts))


def main() -> None:
    """Kill as often as is asked for; print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the journals, and a line of JSON for each kill, here")
    given = parser.parse_args()
    spoken, rows = decode(_SPOKEN), []
    settings = Settings(pace="max", partials=False)
    with tempfile.TemporaryDirectory() as folder:
        runtime = make_runtime(settings, make_blueprint(settings))
        server = SoundServer(Path(folder))
        try:
            for number in range(given.times):
                row = one(server, runtime, spoken, given.seed + number)
                rows.append(row)
                print(f"{number + 1} of {given.times}: {row}", file=sys.stderr)
        finally:
            server.close()
            runtime.close()
            if given.keep is not None:
                given.keep.mkdir(parents=True, exist_ok=True)
                shutil.copytree(server.journals, given.keep / "journal", dirs_exist_ok=True)
                told = [json.dumps({f.name: getattr(row, f.name) for f in fields(Row)}) for row in rows]
                (given.keep / "rows.jsonl").write_text("\n".join(told), "utf-8")
    print(report(rows))
    sys.exit(1 if any(row.wrong for row in rows) else 0)


if __name__ == "__main__":
    main()
