"""Ctrl-C and other signals at awkward moments."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ASK_NOT = str(Path(__file__).parents[2] / "samples" / "ask-not.flac")

LIVE = ("--pace", "realtime", "--model", "tiny.en", "--offline", "--format", "jsonl")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to one process")

INTERRUPTED = """
import os, signal, sys
wanted = sys.argv.pop(1)

def note(event, arguments):
    if event == "import" and arguments[0] == wanted:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(note)
from decalage.__main__ import run
run()
"""


def interrupted(module: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code and what was told by the program, interrupted the moment it imports ``module``."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.strip()


@pytest.mark.parametrize("module", ["numpy", "numpy.linalg", "click", "rich.console", "decalage.app.compose"])
def test_ctrl_c_while_the_program_is_imported_ends_it_without_a_word(module: str) -> None:
    assert interrupted(module, "translate", ASK_NOT, "--offline") == (130, "", "")


@pytest.mark.real
@pytest.mark.parametrize(
    ("engine", "module"),
    [
        ("onnxruntime", "onnxruntime.capi.onnxruntime_pybind11_state"),
        ("onnxruntime", "onnxruntime"),
        ("onnxruntime", "tokenizers"),
        ("onnxruntime", "faster_whisper.feature_extractor"),
        ("ctranslate2", "ctranslate2"),
        ("ctranslate2", "ctranslate2._ext"),
    ],
)
def test_ctrl_c_while_an_engine_is_loaded_ends_it_without_a_word_and_leaves_files_as_they_were(
    tmp_path: Path, engine: str, module: str
) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text("kept\n")
    small = ("--model", "tiny.en", "--engine", engine, "--offline")
    assert interrupted(module, "translate", ASK_NOT, *small, "-o", str(captions)) == (130, "", "")
    assert captions.read_text() == "kept\n"


STUBBORN = """
import sys, threading
from decalage.app.commands import captioning
from decalage.app.session import Session
from decalage.config import RuntimeOptions, StreamOptions
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing.engines import FakeBlueprint, FakeRecognizer
from tests.runtimes.kit import ToneSource
from tests.sinks.events import START

def hang(word):
    print("inside", flush=True)
    threading.Event().wait()

class Deaf(ToneSource):
    def stop(self):
        print("asked", flush=True)

runtime = PipelineRuntime(FakeBlueprint(FakeRecognizer(work=hang)), RuntimeOptions())
stream = runtime.run(Deaf([1], endless=True), StreamOptions(pace="realtime"))
session = Session(runtime, stream, START)
try:
    with captioning._Signals(hint=False) as signals, session.ladder:
        signals.walk(session)
        for event in session:
            print(event.type, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(130 if signals.interrupted else 0)
"""


@pytest.mark.parametrize("third", [False, True], ids=["twice", "three times"])
def test_ctrl_c_again_ends_a_run_whose_source_and_engine_do_not_stop(third: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        try:
            assert {process.stdout.readline() for _ in range(2)} == {"start\n", "inside\n"}
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "asked\n", "it is stopped, and does not hear"
            process.send_signal(signal.SIGINT)
            assert "failure\n" in [process.stdout.readline() for _ in range(2)], "it has its answer"
            if third:
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


@pytest.mark.real
def test_a_closed_terminal_ends_as_sigterm_does(tmp_path: Path) -> None:
    captions = tmp_path / "captions.jsonl"
    outputs = ("--format", "jsonl", "-o", str(captions), "-o", "-")
    live = ("--pace", "realtime", "--model", "tiny.en", "--offline")
    process = subprocess.Popen(
        [sys.executable, "-m", "decalage", "translate", ASK_NOT, *live, *outputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    next(line for line in process.stdout if '"start"' in line)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert '"summary"' in captions.read_text("utf-8").splitlines()[-1]


@pytest.mark.real
def test_a_sigterm_after_the_last_word_does_not_end_it_another_way() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "decalage", "translate", ASK_NOT, *LIVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    next(line for line in process.stdout if '"start"' in line)
    process.send_signal(signal.SIGTERM)
    next(line for line in process.stdout if '"summary"' in line)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


IGNORING = """
import signal, sys
from decalage.app.commands import captioning

class Session:
    class ladder:
        descend = staticmethod(lambda: print("stopped", flush=True))

with captioning._Signals(hint=False) as signals:
    signals.walk(Session())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.raise_signal(number)
"""


def test_a_signal_that_the_program_was_started_to_ignore_stops_nothing() -> None:
    """As by ``nohup``, and in the background of a shell without job control."""
    ignoring = 'trap \'\' INT HUP; exec "$0" -c "$1"'
    done = subprocess.run(
        ["/bin/sh", "-c", ignoring, sys.executable, IGNORING],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=True,
    )
    assert done.stdout == "stopped\n", "SIGTERM alone"


ENDING = """
import atexit, signal, sys
from decalage import __main__
from decalage.app import cli

def main():
    atexit.register(signal.raise_signal, signal.SIGTERM)
    sys.exit(1)

cli.main = main
__main__.run()
"""


def test_sigterm_while_the_interpreter_is_taken_down_does_not_change_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


TORN_DOWN = """
import ctypes, signal, sys
from decalage import __main__
from decalage.app import cli

def main():
    libc = ctypes.CDLL(None)
    libc.on_exit(getattr(libc, "raise"), None)  # at the end: raise(the exit code)
    sys.exit(int(signal.SIGTERM))

cli.main = main
__main__.run()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a function of the GNU C library")
def test_sigterm_when_python_has_ended_and_its_libraries_have_not_does_not_change_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-c", TORN_DOWN], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (signal.SIGTERM, b"")
