"""× real time of ``decalage batch`` against faster-whisper, file by file and batched, on the same archive.

    DECALAGE_SPEECH=DIR python -m scripts.throughput [--minutes M] [--files N] [--repeats N] [--model base]
        [--json F]

Every way is a program of its own that captions the same N files of joined recordings, M minutes in all, in
their own language (no translation), with the same model in int8 on all cores, its start and the loading of
the model within the time. The ways take turns; the median of the repeats counts. Words are scored file by
file against the transcripts; the interval is of the difference to faster-whisper with the same beam, paired
over files.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from decalage.app.bench.machine import describe_machine
from decalage.app.evaluate.bootstrap import difference_interval
from decalage.app.settings import available_cores
from decalage.audio import SAMPLE_RATE, Samples
from scripts.evaluation import Recording, WordErrors, gold, table, write_wav

_PAUSE: Samples = np.zeros(SAMPLE_RATE, np.float32)
_BATCH = 8
"""As faster-whisper's own example and default have it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Files of joined recordings and what is said in each."""

    files: tuple[Path, ...]
    said: tuple[str, ...]
    audio_s: float


@dataclass
class Way:
    """A way to caption the archive: given its files, a text of each."""

    name: str
    beam: int
    run: Callable[[Archive, Path], list[str]]
    walls: list[float] = field(default_factory=list)
    errors: WordErrors | None = None


def archive(folder: Path, recordings: Sequence[Recording], files: int, audio_s: float) -> Archive:
    """``files`` files of about the same length, the recordings in seeded order over and over."""
    order = random.Random(8)  # noqa: S311 - a seed, not a secret
    paths, said, total = [], [], 0
    for number in range(files):
        parts: list[Samples] = []
        words: list[str] = []
        while sum(map(len, parts)) < audio_s / files * SAMPLE_RATE:
            for each in order.sample(recordings, len(recordings)):
                if sum(map(len, parts)) < audio_s / files * SAMPLE_RATE:
                    parts += [each.samples, _PAUSE]
                    words.append(each.transcript)
        paths.append(folder / f"part-{number:03}.wav")
        write_wav(paths[-1], np.concatenate(parts))
        said.append(" ".join(words))
        total += sum(map(len, parts))
    return Archive(tuple(paths), tuple(said), total / SAMPLE_RATE)


def faster_whisper(files: Sequence[str], model_path: str, beam: int, *, batched: bool) -> list[str]:
    """The texts of ``files`` by faster-whisper alone; runs in a process of its own."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

    model = WhisperModel(model_path, device="cpu", compute_type="int8", cpu_threads=available_cores())
    texts = []
    for path in files:
        options: dict[str, Any] = {"language": "en", "beam_size": beam, "vad_filter": True}
        if batched:
            segments, _ = BatchedInferencePipeline(model).transcribe(path, batch_size=_BATCH, **options)
        else:
            segments, _ = model.transcribe(path, **options)
        texts.append(" ".join(segment.text.strip() for segment in segments))
    return texts


def _theirs(model: str, beam: int, *, batched: bool) -> Callable[[Archive, Path], list[str]]:
    def run(given: Archive, _: Path) -> list[str]:
        from decalage.store.models import find_recognizer  # noqa: PLC0415

        call = (
            f"{[str(path) for path in given.files]!r}, {str(find_recognizer(model, offline=True))!r}, {beam}"
        )
        code = (
            "import json; from scripts.throughput import faster_whisper; "
            f"print(json.dumps(faster_whisper({call}, batched={batched})))"
        )
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        )
        texts: list[str] = json.loads(done.stdout)
        return texts

    return run


def _ours(model: str, beam: int) -> Callable[[Archive, Path], list[str]]:
    def run(given: Archive, results: Path) -> list[str]:
        command = [sys.executable, "-m", "decalage", "batch", *map(str, given.files), "-o", str(results)]
        command += ["--from", "en", "--to", "en", "--formats", "jsonl", "--offline"]
        subprocess.run(  # noqa: S603 - our own program
            [*command, "--model", model, "--beam", str(beam)], check=True, stderr=subprocess.DEVNULL
        )
        return [_text(results / f"{path.stem}.jsonl") for path in given.files]

    return run


def _text(result: Path) -> str:
    events = (json.loads(line) for line in result.read_text("utf-8").splitlines())
    return " ".join(event["text"]["en"] for event in events if event["type"] == "caption")


def ways(model: str) -> list[Way]:
    """Like against like, and faster-whisper as it comes (beam 5)."""
    return [
        Way("faster-whisper", 1, _theirs(model, 1, batched=False)),
        Way(f"faster-whisper, batches of {_BATCH}", 1, _theirs(model, 1, batched=True)),
        Way("`decalage batch`", 1, _ours(model, 1)),
        Way("faster-whisper", 5, _theirs(model, 5, batched=False)),
        Way(f"faster-whisper, batches of {_BATCH}", 5, _theirs(model, 5, batched=True)),
        Way("`decalage batch`", 5, _ours(model, 5)),
    ]


def take_turns(tried: Sequence[Way], given: Archive, folder: Path, repeats: int) -> None:
    """Time each way ``repeats`` times, in turn."""
    for number in range(repeats):
        for way in tried:
            results = folder / f"results-{number}"
            print(f"{way.name}, beam {way.beam} …", file=sys.stderr)
            began = time.monotonic()
            texts = way.run(given, results)
            way.walls.append(time.monotonic() - began)
            way.errors = WordErrors("en")
            for reference, text in zip(given.said, texts, strict=True):
                way.errors.add(reference, text)


def _row(way: Way, first: Way, base: Way, audio_s: float) -> list[object]:
    assert way.errors is not None  # noqa: S101
    assert base.errors is not None  # noqa: S101
    interval = None if way is base else difference_interval(base.errors.counted, way.errors.counted)
    told = "–" if interval is None else "{:+.2f} … {:+.2f}".format(*interval)
    speed = audio_s / median(way.walls)
    return [way.name, way.beam, speed, median(first.walls) / median(way.walls), way.errors.rate, told]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="base")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    tried = ways(given.model)
    with tempfile.TemporaryDirectory(prefix="decalage-throughput-") as folder:
        files = archive(Path(folder), gold("en"), given.files, 60 * given.minutes)
        take_turns(tried, files, Path(folder), given.repeats)
    bases = {1: tried[0], 5: tried[3]}
    rows = [_row(way, tried[0], bases[way.beam], files.audio_s) for way in tried]
    print(f"{len(files.files)} files, {files.audio_s / 60:.1f} minutes, model {given.model}\n")
    print(table(_HEAD, rows))
    if given.json is not None:
        kept = [
            {"name": way.name, "beam": way.beam, "walls_s": way.walls, "wer": way.errors and way.errors.rate}
            for way in tried
        ]
        body = {"machine": describe_machine(), "audio_s": files.audio_s, "ways": kept}
        given.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


_HEAD = (
    "",
    "beam",
    "× real time",
    "to the first row",
    "WER %",
    "95 % of the difference, same beam",
)


if __name__ == "__main__":
    main()
