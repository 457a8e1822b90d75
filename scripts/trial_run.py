"""The program in a process of its own at speaking pace, watched until nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from decalage.config import RuntimeName
from scripts.trial_bench import Piece
from scripts.trial_rounds import write
from scripts.trial_verdict import Verdict
from scripts.trial_watch import blocks_of

_OPTIONS = ["--pace", "realtime", "--offline", "--workers", "2", "--threads", "1", "--end-silence", "0.5"]
LIMIT_S = 120.0
"""A run that takes longer hangs."""
_GONE_S = 10.0


class Run:
    """The program at speaking pace on ``piece``, its events as they come."""

    def __init__(self, piece: Piece, runtime: RuntimeName, folder: Path, *options: str, **popen: Any) -> None:
        path = folder / "piece.wav"
        write(path, piece.samples)
        command = [sys.executable, "-m", "decalage", "translate", str(path), *_OPTIONS]
        command += ["--runtime", runtime, *options]
        self._errors = (folder / "errors").open("w+b")
        self.lines: list[str] = []
        self.begun = time.monotonic()
        self.spoken = threading.Event()
        """Set when sound is taken: the start event is out."""
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            **{"stdout": subprocess.PIPE, "stderr": self._errors, "start_new_session": True, **popen},
        )
        self._blocks: set[str] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.process.stdout is None:
            return
        with suppress(ValueError, OSError):  # closed by a trial
            for line in self.process.stdout:
                self.lines.append(line.decode())
                self.spoken.set()

    def look(self) -> None:
        """Note what memory it shares."""
        with suppress(OSError):
            self._blocks |= blocks_of(self.process.pid)

    def end(self, verdict: Verdict) -> int:
        """Wait for it; what it leaves goes into ``verdict``. The exit code, as a shell tells it."""
        try:
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            verdict.wrong.append(f"not ended after {LIMIT_S:g} s")
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        self._reader.join(10)
        verdict.wrong += [f"left: {each}" for each in self._left()]
        if "Traceback" in self.errors:
            verdict.wrong.append(f"a traceback: {self.errors[-300:]!r}")
        return code if code >= 0 else 128 - code

    def _left(self) -> list[str]:
        """Processes of its session and shared memory that are there ten seconds later."""
        until = time.monotonic() + _GONE_S
        while (alive := _of_session(self.process.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        for each in alive:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        blocks = [name for name in self._blocks if Path("/dev/shm", name).exists()]  # noqa: S108
        return [f"process {each}" for each in alive] + [f"shared memory {name}" for name in blocks]

    @property
    def errors(self) -> str:
        """Standard error so far."""
        self._errors.flush()
        return Path(self._errors.name).read_text("utf-8", errors="replace")

    def close(self) -> None:
        """Let go of its files."""
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()


def _of_session(leader: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
