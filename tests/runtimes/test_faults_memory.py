"""No memory left: a failure in its place in a thread, a fresh process in ``processes``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import cast

import psutil
import pytest

from decalage.app.compose import make_blueprint, make_runtime, open_source, stream_options
from decalage.app.settings import Settings
from decalage.config import RecognizerOptions, StreamOptions
from decalage.events import Caption, Failure
from decalage.flow.trace import Trace
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.child import Child
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.remote import RemoteRecognizer
from decalage.runtimes.sound_block import SoundBlock
from decalage.speech import Transcript, Translation, Utterance
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, FakeTranslator, heard, speech, tone
from tests.runtimes.kit import RUNTIMES, fed, running, texts

ROOT = Path(__file__).parents[2]
ASK_NOT = str(ROOT / "samples" / "ask-not.flac")


def without_memory(word: int) -> None:
    if word == 2:
        raise MemoryError("Unable to allocate 9 MiB")


class Starved(FakeTranslator):
    """Has no memory for the second word."""

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        if text == "word 2":
            raise MemoryError("Unable to allocate 9 MiB")
        return super().translate(text, source=source, target=target)


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("stage", ["asr", "mt"])
def test_who_has_no_memory_left_fails_in_its_place_and_says_so(name: str, stage: str) -> None:
    recognizer = FakeRecognizer(work=without_memory) if stage == "asr" else FakeRecognizer()
    translator = Starved() if stage == "mt" else FakeTranslator()
    with running(name, FakeBlueprint(recognizer, translator)) as runtime:
        events = fed(runtime.open(StreamOptions()), speech([1, 2, 3]))
    assert texts(events) == ["word 1", "failure", "word 3"]
    failure = events[1]
    assert isinstance(failure, Failure)
    assert failure.stage == stage
    assert "Unable to allocate 9 MiB" in failure.error


def take_away(name: str) -> None:
    """As the constructor of ``SharedMemory`` does where there is no memory to map the block."""
    memory = SharedMemory(name)
    memory.close()
    memory.unlink()


def test_a_block_whose_name_is_gone_is_let_go_of_without_a_word() -> None:
    block = SoundBlock(10)
    take_away(block.name)
    block.close()
    block.close()


class Choking:
    """A process that cannot attach to the first block it is given."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def call(self, _method: str, block: str, length: int, *_rest: object) -> Transcript:
        self.heard.append(heard(SoundBlock(0, block).read(length)))
        if len(self.heard) == 1:
            take_away(block)
            raise WorkerLostError("no memory left")
        return Transcript(f"word {self.heard[-1]}", "en")


def test_after_a_lost_process_the_sound_lies_in_a_block_that_is_there() -> None:
    choking = Choking()
    recognizer = RemoteRecognizer(cast("Child", choking))
    utterance = Utterance("s", 0, 0, tone(5), 0.2)
    with pytest.raises(WorkerLostError):
        recognizer.recognize(utterance, RecognizerOptions())
    assert recognizer.recognize(utterance, RecognizerOptions()) == Transcript("word 5", "en")
    recognizer.close()


def test_a_process_without_memory_is_replaced_and_its_utterance_tried_again() -> None:
    trace = Trace()

    def once(word: int) -> None:
        if word == 2 and recognizer.calls.count(2) == 1:
            raise MemoryError("Unable to allocate 9 MiB")

    recognizer = FakeRecognizer(work=once)
    with running("processes", FakeBlueprint(recognizer), trace=trace) as runtime:
        assert isinstance(runtime, ProcessesRuntime)
        before = runtime.processes["asr-0"]
        assert texts(fed(runtime.open(StreamOptions()), speech([1, 2, 3]))) == ["word 1", "word 2", "word 3"]
        assert runtime.processes["asr-0"] != before
    told = {mark.name: mark.detail for mark in trace.marks()}
    assert "has no memory left" in told["worker replaced"]
    assert "retry" in told


@pytest.mark.real
@pytest.mark.parametrize("engine", ["onnxruntime", "ctranslate2"])
def test_a_recognizing_process_at_its_limit_costs_no_caption(
    engine: str, require: Callable[[bool, str, str], None]
) -> None:
    require(hasattr(psutil, "RLIMIT_AS"), "limits of other processes", "run this on Linux")
    settings = Settings(model="tiny.en", engine=engine, runtime="processes", workers=1, offline=True)  # type: ignore[arg-type]
    blueprint, trace = make_blueprint(settings), Trace()
    runtime = make_runtime(settings, blueprint, trace=trace)
    try:
        assert isinstance(runtime, ProcessesRuntime)
        child = psutil.Process(runtime.processes["asr-0"])
        limit = child.memory_info().vms
        child.rlimit(psutil.RLIMIT_AS, (limit, limit))
        source = open_source(ASK_NOT, settings)
        captions = list(runtime.run(source, stream_options(settings, blueprint)))
    finally:
        runtime.close(30)
    assert captions
    assert all(isinstance(event, Caption) for event in captions), captions
    assert "worker replaced" in [mark.name for mark in trace.marks()]


STARVED = """
import json, resource, sys
import numpy as np, psutil
from decalage.app.compose import make_blueprint, make_runtime, open_source, stream_options
from decalage.app.settings import Settings
from decalage.audio import AudioChunk
from decalage.events import as_json

settings = Settings(model="tiny.en", engine="onnxruntime", workers=1, threads=1, offline=True)
blueprint = make_blueprint(settings)
runtime = make_runtime(settings, blueprint)
talk = np.concatenate([chunk.samples for chunk in open_source(sys.argv[1], settings)])

def say(seconds):
    stream = runtime.open(stream_options(settings, blueprint))
    stream.feed(AudioChunk(0, talk[: seconds * 16_000]))
    stream.finish()
    print(json.dumps([as_json(event) for event in stream]), flush=True)

say(3)  # every thread is there by now
limit = psutil.Process().memory_info().vms + 2_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
say(25)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
say(3)
runtime.close()
"""


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory that a process may map")
def test_a_program_at_its_limit_fails_what_it_cannot_hear_and_goes_on_when_there_is_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(ROOT / "samples" / "talk.flac")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, starved, after = (json.loads(line) for line in done.stdout.splitlines())
    assert {event["type"] for event in before + after} == {"caption"}, done.stderr
    failures = [event for event in starved if event["type"] == "failure"]
    assert failures, starved
    assert all(event["stage"] == "asr" and "alloc" in event["error"] for event in failures)
