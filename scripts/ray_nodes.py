"""An archive on two Ray nodes of this machine, one of them killed in the middle, against a single process.

    python -m scripts.ray_nodes [--hours H] [--file-minutes M] [--seed S] [--keep FOLDER]

The recordings of DECALAGE_SPEECH (of samples/ without it) are joined in one random order after another into
files of M minutes, each under a name of its own, H hours in all. ``decalage batch`` captions them twice: by
``--runtime pipeline`` with two recognizers, then by ``--runtime ray`` on two nodes with one each. When half
of the files are done, all processes of the second node get SIGKILL. Prints a Markdown table; exits with 1
where a file is missing, an utterance failed, a text is another than that of the single process, or nothing
had to be tried again: then the node was not in the middle of anything.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples
from scripts.evaluation import decode, rows, speech_folder, table, write_wav

_SAMPLES = Path(__file__).parents[1] / "samples"
_PAUSE: Samples = np.zeros(SAMPLE_RATE, np.float32)
_STORE_BYTES = 200_000_000
_DONE = re.compile(r"^\[\d+/\d+\]")
"""A line of ``batch`` for a file that has ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a batch came to."""

    name: str
    wall_s: float
    """With the time that models, and Ray, took to start."""
    code: int
    settled: dict[str, list[tuple[Any, ...]]]
    """File → its settled events: type, times, text."""
    told: str
    """All that it said on standard error."""

    def count(self, kind: str) -> int:
        """Settled events of a kind."""
        return sum(event[0] == kind for events in self.settled.values() for event in events)


def recordings() -> list[Samples]:
    """English speech to make an archive of."""
    if "DECALAGE_SPEECH" not in os.environ:
        return [decode(path) for path in sorted(_SAMPLES.glob("*.flac"))]
    chosen = [row for row in rows() if row["language"] == "en" and row["path"].startswith("audio/")]
    return [decode(speech_folder() / row["path"]) for row in chosen]


def make_archive(folder: Path, hours: float, minutes: float, seed: int) -> int:
    """Write the files; how many."""
    speech, order = recordings(), random.Random(seed)  # noqa: S311 - a seed, not a secret
    count = max(2, round(60 * hours / minutes))
    for number in range(count):
        parts: list[Samples] = []
        while sum(map(len, parts)) < 60 * minutes * SAMPLE_RATE:
            parts += [part for each in order.sample(speech, len(speech)) for part in (each, _PAUSE)]
        sound = np.concatenate(parts)[: int(60 * minutes * SAMPLE_RATE)]
        write_wav(folder / f"part-{number:03}.wav", sound)
    return count


@contextmanager
def two_nodes() -> Iterator[tuple[str, Callable[[], None]]]:
    """A cluster with a processor on each of two nodes: its address, and what kills the second."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    node = {"num_cpus": 1, "object_store_memory": _STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        second = cluster.add_node(**node)
        yield cluster.address, lambda: cluster.remove_node(second, allow_graceful=False)
    finally:
        cluster.shutdown()


def batch(
    name: str, archive: Path, results: Path, options: Sequence[str], half: Callable[[], None], files: int
) -> Run:
    """Caption ``archive``; ``half()`` is called when half of its files are done."""
    command = [sys.executable, "-m", "decalage", "batch", str(archive), "-o", str(results)]
    command += ["--formats", "jsonl", "--offline", "--workers"]
    began, told, done = time.monotonic(), [], 0
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None  # noqa: S101 - asked for
        for line in process.stderr:
            told.append(line)
            done += bool(_DONE.match(line))
            if done == files // 2 and _DONE.match(line):
                threading.Thread(target=half).start()
    settled = {path.name: read(path) for path in sorted(results.glob("*.jsonl"))}
    return Run(name, time.monotonic() - began, process.returncode, settled, "".join(told))


def read(path: Path) -> list[tuple[Any, ...]]:
    """The settled events of a file."""
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        (event["type"], event["start"], event["end"], event.get("text"))
        for event in events
        if "index" in event and event["type"] != "partial"
    ]


def different(one: Run, other: Run) -> int:
    """Utterances that are not the same in both; files that are in one alone count whole."""
    count = 0
    for name in one.settled.keys() | other.settled.keys():
        mine, theirs = one.settled.get(name, []), other.settled.get(name, [])
        count += abs(len(mine) - len(theirs)) + sum(a != b for a, b in zip(mine, theirs, strict=False))
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--file-minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--keep", type=Path, help="Folder for the archive and the results.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="decalage-nodes-") as temporary:
        folder: Path = given.keep or Path(temporary)
        archive = folder / "archive"
        archive.mkdir(parents=True)
        files = make_archive(archive, given.hours, given.file_minutes, given.seed)
        single = batch("`pipeline`, 2 recognizers", archive, folder / "single", ["2"], lambda: None, files)
        with two_nodes() as (address, kill):
            options = ["1", "--runtime", "ray", "--address", address, "-v"]
            nodes = batch("`ray`, 2 nodes, one killed", archive, folder / "nodes", options, kill, files)
    hours = files * given.file_minutes / 60
    lines = [
        [
            run.name,
            f"{len(run.settled)} of {files}",
            run.count("caption"),
            run.count("failure"),
            run.told.count("retry: "),
            different(single, run),
            round(run.wall_s),
            3600 * hours / run.wall_s,
        ]
        for run in (single, nodes)
    ]
    head = ["run", "files", "captions", "failed", "tried again", "other than single", "wall s", "× real time"]
    print(table(head, lines, 1))
    tried_again = "retry: " in nodes.told
    if not tried_again:
        print(f"\nno work was lost with a node, which proves nothing:\n{nodes.told[-2000:]}", file=sys.stderr)
    good = tried_again and single.code == nodes.code == 0 and not different(single, nodes)
    return 0 if good and len(nodes.settled) == files else 1


if __name__ == "__main__":
    sys.exit(main())
