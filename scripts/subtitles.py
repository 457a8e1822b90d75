"""The subtitles of every long recording, held against the rules they are laid out by.

    DECALAGE_SPEECH=DIR python -m scripts.subtitles [--folder DIR]

Each recording longer than 30 s, and the dialogue in two languages, as SRT, WebVTT and ASS in one run;
read back with pysubs2. Ends with code 1 where a file cannot be read or a rule that always can be kept
is broken: lines, columns, order, overlap. Reading speed and duration are counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pysubs2
from rich.cells import cell_len

from scripts.evaluation import rows, speech_folder, table

_FORMS = ("srt", "vtt", "ass")
_LONG_S = 30.0
_COLUMNS, _LINES = 42, 2
_SPEED = 20.0
_SHORTEST_S, _LONGEST_S = 5 / 6, 7.0
_ROUNDING_S = 0.011
"""ASS counts in hundredths."""


def written(row: dict[str, Any], folder: Path) -> list[Path]:
    """The subtitles of one recording. Ends the program where they cannot be made."""
    paths = [folder / f"{row['id']}.{form}" for form in _FORMS]
    languages = ["--from", "auto", "--to", "en,pt"] if row["language"] == "mixed" else []
    outputs = [option for path in paths for option in ("-o", str(path))]
    command = [sys.executable, "-m", "decalage", "translate", str(speech_folder() / row["path"]), "--offline"]
    done = subprocess.run(  # noqa: S603 - ours
        [*command, *languages, *outputs], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{row['path']}: exit code {done.returncode}: {done.stderr.strip()}")
    return paths


def broken(cues: Sequence[Any], seconds: float) -> list[str]:
    """Every rule that a file breaks."""
    wrong = []
    if not cues:
        wrong.append("no cue")
    for before, after in pairwise(cues):
        if after.start < before.end:
            wrong.append(f"overlap at {after.start / 1000:.2f} s")
    for cue in cues:
        lines = cue.plaintext.split("\n")
        if len(lines) > _LINES or any(cell_len(line) > _COLUMNS for line in lines):
            wrong.append(f"layout at {cue.start / 1000:.2f} s: {lines}")
        if cue.end <= cue.start or cue.end / 1000 > seconds + _ROUNDING_S:
            wrong.append(f"time at {cue.start / 1000:.2f} s")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("build/subtitles"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    lines, wrong = [], []
    for row in rows():
        if not (row["path"].startswith("audio/") and _is_long(row)):
            continue
        for path in written(row, folder):
            cues = list(pysubs2.load(str(path), encoding="utf-8"))
            wrong += [f"{path.name}: {each}" for each in broken(cues, row["seconds"])]
        speeds = [
            cell_len(cue.plaintext.replace("\n", " ")) / max(0.001, cue.duration / 1000) for cue in cues
        ]
        lengths = [cue.duration / 1000 for cue in cues]
        widest = max((cell_len(line) for cue in cues for line in cue.plaintext.split("\n")), default=0)
        lines.append(
            (
                row["id"],
                f"{row['seconds']:.0f}",
                len(cues),
                widest,
                sum(speed > _SPEED for speed in speeds),
                sum(length < _SHORTEST_S - _ROUNDING_S for length in lengths),
                sum(length > _LONGEST_S + _ROUNDING_S for length in lengths),
            )
        )
    head = ("recording", "s", "cues", "widest line", "> 20 letters/s", "< 5/6 s", "> 7 s")
    print(table(head, lines))
    print(f"\n{len(lines) * len(_FORMS)} files read back, {len(wrong)} rules broken")
    for each in wrong:
        print(each)
    sys.exit(1 if wrong else 0)


def _is_long(row: dict[str, Any]) -> bool:
    return bool(row["expect"] == "transcript" and (row["seconds"] > _LONG_S or row["language"] == "mixed"))


if __name__ == "__main__":
    main()
