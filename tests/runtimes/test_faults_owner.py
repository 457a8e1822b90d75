"""A program that is killed, or wants to end while an engine does not come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import psutil
import pytest

from decalage.audio import AudioChunk
from tests.runtimes.kit import ToneSource


class Talking(ToneSource):
    """Says its words, and then neither ends nor stops."""

    def __iter__(self) -> Iterator[AudioChunk]:
        yield from super().__iter__()
        threading.Event().wait()


OWNER = """
import sys, threading
from decalage.config import RuntimeOptions, StreamOptions
from decalage.runtimes import sound_block
from decalage.runtimes.processes import ProcessesRuntime
from tests.runtimes.test_faults_owner import Talking
from tests.runtimes.test_processes import HangingBlueprint

class Noted(sound_block.SharedMemory):
    made = []
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made.append(self.name)

sound_block.SharedMemory = Noted
if __name__ == "__main__":
    runtime = ProcessesRuntime(HangingBlueprint(), RuntimeOptions(workers=2))
    runtime.run(Talking([1]), StreamOptions())
    children = [*runtime.processes.values(), *runtime.captures.values()]
    while sys.stdin.readline():
        print(*children, *Noted.made, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows lets go of memory by itself")
def test_of_a_killed_program_no_process_and_no_shared_memory_stays(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        assert owner.stdout.readline() == "inside\n"  # a recognizer is in a call that hangs
        owner.stdin.write("\n")
        owner.stdin.flush()
        told = owner.stdout.readline().split()
        children = [psutil.Process(int(word)) for word in told if word.isdigit()]
        owner.send_signal(signal.SIGKILL)
    blocks = [word for word in told if not word.isdigit()]
    assert (len(children), len(blocks)) == (5, 3)
    assert psutil.wait_procs(children, timeout=30)[1] == []
    for name in blocks:
        until_gone(name)


def until_gone(name: str) -> None:
    """Wait for the end of a block of memory; bounded by the test's timeout."""
    pace = threading.Event()
    while True:
        try:
            SharedMemory(name).close()
        except FileNotFoundError:
            return
        pace.wait(0.01)


HUNG = """
import ctypes, os, sys
from decalage.config import RuntimeOptions, StreamOptions
from decalage.runtimes.{module} import {runtime}
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, speech

def native(word):
    os.write(1, b"inside\\n")  # whole, though others write too
    ctypes.CDLL(None).sleep(100_000)

class Hanging(FakeBlueprint):
    def recognizer(self, concurrency):
        return FakeRecognizer(work=native)

if __name__ == "__main__":
    runtime = {runtime}(Hanging(), RuntimeOptions(workers=2))
    stream = runtime.open(StreamOptions())
    stream.feed(speech([1, 2, 3]))
    sys.stdin.readline()
    runtime.close(0.5)
    print(*(event.type for event in stream), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no C library to hang in")
@pytest.mark.parametrize(
    ("module", "runtime"),
    [
        ("sequential", "SequentialRuntime"),
        ("pipeline", "PipelineRuntime"),
        ("pool", "PoolRuntime"),
        ("processes", "ProcessesRuntime"),
        ("event_loop", "AsyncioRuntime"),
    ],
)
def test_a_native_call_that_never_returns_does_not_keep_the_program(
    tmp_path: Path, module: str, runtime: str
) -> None:
    script = tmp_path / "owner.py"
    script.write_text(HUNG.format(module=module, runtime=runtime), "utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "inside\n"
        try:
            told, _ = owner.communicate("\n", timeout=40)
        finally:
            owner.kill()
    assert owner.returncode == 0
    assert set(told.replace("inside", "").split()) == {"failure"}, "what was under way has its answer"
