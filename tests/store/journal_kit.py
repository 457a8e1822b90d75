"""What the tests of the journal share: sound that tells its place, events, and programs to kill."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decalage.audio import AudioChunk, Samples
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions, Term
from decalage.events import Caption, Gap, Start, Timing
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_settings import Models

MODELS = Models(model="base", device="auto", compute_type="auto", engine="auto")
START = Start(
    source="en",
    targets=("pt", "es"),
    runtime="pipeline",
    workers=1,
    threads=1,
    model="base",
    beam=1,
    engine="onnxruntime",
    encoder_window="auto",
    end_silence=0.5,
    partials=True,
    stability="balanced",
    pace="realtime",
    input="stream",
)
OPTIONS = StreamOptions(
    targets=("pt", "es"),
    directions=frozenset({("en", "pt"), ("en", "es")}),
    recognizer=RecognizerOptions(language="en", encoder_window=7.5, prompt="Glossary: Dorothea."),
    segmenter=SegmenterOptions(pause_s=0.2, finished_silence_s=0.45, activity=True),
    terms=(Term("Dorothea"), Term("moor", "charneca", (("es", "páramo"),))),
    pace="realtime",
    partials=True,
)
GAP = Gap(1, 3.0, 4.0, "device", captured=False)


def caption(index: int) -> Caption:
    timing = Timing(1.0, 1.5, 1.5, 1.6, 1.6, 1.7, 1.7)
    return Caption(index, 0.0, 1.0, "en", {"en": "It was.", "pt": "Foi — assim."}, timing, 0.2, 0.7)


def sound(first: int, count: int) -> Samples:
    """Samples ``first`` … of a sound of 16 bits in which no two places are alike."""
    places = np.arange(first, first + count, dtype=np.int64)
    wide = ((places * 2_654_435_761) >> 7) % 20_001 - 10_000
    return wide.astype(np.float32) / np.float32(32_768)


def pieces(first: int, count: int, size: int = 1600) -> Iterator[AudioChunk]:
    """The same in chunks."""
    for place in range(first, first + count, size):
        yield AudioChunk(place, sound(place, min(size, first + count - place)))


def runs(chunks: Iterator[AudioChunk]) -> list[tuple[int, Samples]]:
    """Chunks that follow each other joined: (first sample, samples)."""
    joined: list[tuple[int, list[Samples]]] = []
    place = -1
    for chunk in chunks:
        if chunk.first != place:
            joined.append((chunk.first, []))
        joined[-1][1].append(chunk.samples)
        place = chunk.first + len(chunk.samples)
    return [(first, np.concatenate(parts)) for first, parts in joined]


def heard(chunks: Iterator[AudioChunk]) -> int:
    """Samples from 0 on that are as they were given; fails where one is not."""
    found = runs(chunks)
    if not found:
        return 0
    ((first, samples),) = found
    assert first == 0
    np.testing.assert_array_equal(samples, sound(0, len(samples)))
    return len(samples)


class Disk:
    """Knows how much of each file would be there if the power went now."""

    def __init__(self) -> None:
        self.safe: dict[int, int] = {}
        self.synced = threading.Semaphore(0)

    def sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.safe[status.st_ino] = status.st_size
        self.synced.release()

    def until_written(self, journal: Journal) -> None:
        """Wait for what the first recording of ``journal`` was given."""
        other = journal.begin(START, OPTIONS)
        other.sound(AudioChunk(0, sound(0, 1)))
        for what in ("its settings", "the name of its folder", "the settings of the other, which come after"):
            assert self.synced.acquire(timeout=30), what

    def after_power_loss(self, folder: Path, copy: Path, names: str = "*") -> Path:
        """``copy`` of ``folder``; the files of these names lack what was not on the disk."""
        shutil.copytree(folder, copy)
        for path in folder.glob(names):
            os.truncate(copy / path.name, self.safe.get(path.stat().st_ino, 0))
        return copy


def shut(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The system refuses to look into ``folder``, as into one of root's; root itself it never refuses."""

    def refusing(call: Callable[..., Any], inside: bool) -> Callable[..., Any]:
        def asked(path: Any, *given: Any, **named: Any) -> Any:
            looked = Path(path) if isinstance(path, str | os.PathLike) else None
            if looked is not None and folder == (looked.parent if inside else looked):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return call(path, *given, **named)

        return asked

    for module, name, inside in ((os, "listdir", False), (os, "stat", True), (io, "open", True)):
        monkeypatch.setattr(module, name, refusing(getattr(module, name), inside))


def only(root: Path) -> Path:
    """The folder of the one session in ``root``."""
    (folder,) = root.iterdir()
    return folder


WRITER = """
import os, sys
from pathlib import Path
from tests.store.journal_kit import MODELS, OPTIONS, START, caption, pieces
from decalage.store.journal import Journal, JournalOptions

root, sync_s, segment_s, most = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
if most:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

def sync(descriptor):
    written = recording.statistics().written
    os.fsync(descriptor)
    print(written, flush=True)

journal = Journal(MODELS, root, JournalOptions(sync_s=sync_s, segment_s=segment_s), sync=sync,
                  tell=lambda warning: print(warning, flush=True))
recording = journal.begin(START, OPTIONS)
recording.event(1, START)
seq = 1
for second in sys.stdin:
    for chunk in pieces(int(second) * 16_000, 16_000):
        recording.sound(chunk)
    seq += 1
    recording.event(seq, caption(seq))
journal.close()
print("went on", recording.stopped, flush=True)
"""
"""Takes a line for each second of sound; prints how much is safe after each fsync."""


def writer(
    root: Path, *, sync_s: float = 2.0, segment_s: float = 60.0, most: int = 0
) -> subprocess.Popen[str]:
    arguments = [str(root), str(sync_s), str(segment_s), str(most)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def kept(root: Path, seconds: int, *, ended: bool = True) -> Path:
    """A session of so many seconds in ``root``, whole or without its ending."""
    before = set(root.iterdir()) if root.is_dir() else set()
    journal = Journal(MODELS, root, JournalOptions(segment_s=5.0, most_bytes=10**12, longest_s=10**12))
    recording = journal.begin(START, OPTIONS)
    recording.event(1, START)
    for chunk in pieces(0, seconds * 16_000):
        recording.sound(chunk)
    recording.event(2, caption(0))
    if ended:
        recording.close()
    journal.close()
    (made,) = set(root.iterdir()) - before
    return made
