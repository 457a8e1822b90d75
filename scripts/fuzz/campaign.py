"""Runs of libFuzzer over one target, one after the other, and what came of them.

::

    seeds and kept inputs ─▶ round ─▶ round … until nothing new was reached for a while
                               │ each a process of its own, over one growing folder
                               ▼
                             the fewest inputs that reach all of it are kept
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.fuzz.target import Target

FINDINGS = Path("build") / "fuzz"
"""Inputs that broke something, a folder for each target."""

_PULSE = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_EXCEPTION = re.compile(r"=== Uncaught Python exception: ===\n(.*)")
_SAVED = re.compile(r"Test unit written to (\S+)")
_QUIET = 0.3
"""Of all inputs: so many without new code are a plateau."""
_INPUT_S = 20
"""An input that takes longer hangs."""
_MEMORY_MB = 1500
_MEMORY = Path("/dev/shm")  # noqa: S108 - the files of an input live as long as its check
_KEPT_BYTES = 1 << 14
"""Of one target: what would make it more is left out."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far it was after so many inputs."""

    inputs: int
    code: int
    """Branches and basic blocks."""
    features: int
    """The same, told apart by how often one input went there."""


@dataclass(slots=True)
class Outcome:
    """What came of fuzzing one target."""

    target: Target
    path: list[Reached] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    kept: int = 0
    new: int = 0
    """Of the kept inputs, those that were not kept before."""

    @property
    def inputs(self) -> int:
        """Tried so far."""
        return self.path[-1].inputs if self.path else 0

    @property
    def last_growth(self) -> int:
        """The input that was the last to reach new code."""
        most = max((reached.code for reached in self.path), default=0)
        return next((reached.inputs for reached in self.path if reached.code == most), 0)

    @property
    def plateau(self) -> bool:
        """Whether the last third of the inputs, or nearly, reached no new code."""
        return 0 < _QUIET * self.inputs <= self.inputs - self.last_growth

    def at(self, share: float) -> Reached:
        """How far it was after this share of the inputs."""
        before = [reached for reached in self.path if reached.inputs <= share * self.inputs]
        return before[-1] if before else Reached(0, 0, 0)


def fuzz(target: Target, inputs: int, most: int, seconds: float | None, *, fresh: bool) -> Outcome:
    """Try ``inputs``, then more up to ``most`` while new code is reached; at most ``seconds``.

    ``fresh``: begin with the seeds alone, not with what is kept. Ends at the first finding.
    """
    outcome = Outcome(target)
    until = None if seconds is None else time.monotonic() + seconds
    with TemporaryDirectory(prefix="fuzz-") as folder:
        work = Path(folder)
        corpus = _begun(target, work, fresh=fresh)
        left = inputs
        while left > 0 and not outcome.findings and (until is None or time.monotonic() < until):
            _round(outcome, work, left, until)
            left = 0 if outcome.plateau else min(inputs // 2, most - outcome.inputs)
        outcome.kept, outcome.new = _keep(target, work, corpus)
    return outcome


def _begun(target: Target, work: Path, *, fresh: bool) -> Path:
    """The folder of inputs to begin with, and beside it the words of its language."""
    corpus = work / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    for path in [] if fresh else target.kept():
        shutil.copy(path, corpus)
    (work / "words").write_text("\n".join(map(_quoted, filter(None, target.words))) + "\n", "utf-8")
    return corpus


def _quoted(word: str) -> str:
    """As libFuzzer's dictionaries have it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass")) + '"'


def _round(outcome: Outcome, work: Path, runs: int, until: float | None) -> None:
    """One process of libFuzzer."""
    before = outcome.inputs
    findings = FINDINGS / outcome.target.name
    findings.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-seed={1 + before}",
        f"-max_len={outcome.target.longest}",
        f"-timeout={_INPUT_S}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-artifact_prefix={findings}/",
        *([f"-dict={work / 'words'}"] if outcome.target.words else []),
        *([] if until is None else [f"-max_total_time={max(1, round(until - time.monotonic()))}"]),
    ]
    code, told = _libfuzzer(outcome.target, [*options, str(work / "corpus")])
    most = outcome.path[-1] if outcome.path else Reached(0, 0, 0)
    for reached in _told(told):
        most = Reached(
            before + reached.inputs, max(most.code, reached.code), max(most.features, reached.features)
        )
        outcome.path.append(most)
    if code:
        what, where = _EXCEPTION.search(told), _SAVED.search(told)
        said = what.group(1) if what else told.strip().rpartition("\n")[2]
        outcome.findings.append(f"{said[:200]} ({where.group(1) if where else 'no input'})")


def _told(log: str) -> Iterator[Reached]:
    for found in _PULSE.finditer(log):
        yield Reached(*map(int, found.groups()))


def _keep(target: Target, work: Path, corpus: Path) -> tuple[int, int]:
    """Leave in the target's corpus the fewest inputs that reach it all: how many, how many of them new.

    Raises ``RuntimeError`` where they cannot be told; the corpus stays as it is.
    """
    chosen = work / "chosen"
    chosen.mkdir()
    before = {path.name for path in target.kept()}
    merged = ["-set_cover_merge=1", str(chosen), str(target.corpus), str(corpus)]
    code, told = _libfuzzer(target, merged)
    if code or not any(chosen.iterdir()):
        raise RuntimeError(f"{target.name}: not merged, so the kept inputs stay as they are: {told[-500:]}")
    room, names = _KEPT_BYTES, set()
    for path in sorted(chosen.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        room -= path.stat().st_size
        if room >= 0:
            names.add(path.name)
    target.corpus.mkdir(parents=True, exist_ok=True)
    for path in target.kept():
        path.unlink()
    for name in names:
        shutil.copy(chosen / name, target.corpus)
    return len(names), len(names - before)


def _libfuzzer(target: Target, options: Sequence[str]) -> tuple[int, str]:
    """Exit code and what was told."""
    target.corpus.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "scripts.fuzz.child", target.name, *options],
        env={**os.environ, **({"TMPDIR": str(_MEMORY)} if _MEMORY.is_dir() else {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
