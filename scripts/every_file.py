"""``decalage translate`` on every file of the evaluation speech, judged by what each row expects.

    DECALAGE_SPEECH=DIR python -m scripts.every_file [--jobs N] [--json OUT]

For each file: the exit code, that every index is settled once and in order, that nothing but one line
is said of a refusal, and word error rate where there is a transcript. Ends with code 1 if a row is not
as it expects.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from scripts.evaluation import WordErrors, rows, speech_folder, table

_LANGUAGES = {"pt-BR": ("pt", "en"), "en": ("en", "pt")}
_LIMIT_S = 300


def caption(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One file through the program; what was wrong with it, if anything."""
    source, target = _LANGUAGES.get(row["language"] or "en", ("en", "pt"))
    command = [sys.executable, "-m", "decalage", "translate", str(folder / row["path"])]
    options = ["--from", source, "--to", target, "--format", "jsonl", "--workers", "1", "--offline"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, *options], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    captions = [event for event in events if event["type"] == "caption"]
    text = " ".join(event["text"][source] for event in captions)
    result = {"path": row["path"], "expect": row["expect"], "exit": done.returncode, "text": text}
    result["kinds"] = [event["type"] for event in events if event["type"] not in ("start", "summary")]
    result["wrong"] = _wrong(row, done, events)
    return result


def _wrong(row: dict[str, Any], done: subprocess.CompletedProcess[str], events: list[Any]) -> list[str]:
    """Every way in which the outcome is not what the row expects."""
    wrong = []
    if "Traceback" in done.stderr:
        wrong.append("a traceback")
    settled = [e["index"] for e in events if e["type"] in ("caption", "failure", "rejected", "gap")]
    if settled != list(range(len(settled))):
        wrong.append(f"indices {settled}")
    kinds = {event["type"] for event in events}
    if done.returncode in (2, 3):
        if events or len(done.stderr.strip().splitlines()) != 1:
            wrong.append("a refusal with output, or of more than one line")
    elif "summary" not in kinds:
        wrong.append("no summary")
    allowed = {
        "transcript": done.returncode == 0 and "caption" in kinds and "failure" not in kinds,
        "empty": done.returncode == 0 and "caption" not in kinds,
        "error": done.returncode == 2,
        "empty_or_error": done.returncode in (1, 2) or "caption" not in kinds,
        "no_crash": done.returncode in (0, 1, 2),
    }
    if not allowed[row["expect"]]:
        wrong.append(f"expected {row['expect']}: exit {done.returncode}, {sorted(kinds)}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    manifest = rows()
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(partial(caption, folder=speech_folder()), manifest))
    lines = []
    for expect in sorted({row["expect"] for row in manifest}):
        chosen = [result for result in results if result["expect"] == expect]
        lines.append((expect, len(chosen), sum(not result["wrong"] for result in chosen)))
    print(table(("expect", "files", "as expected"), lines))
    for title, language, prefix in (
        ("English, gold", "en", "audio/en"),
        ("Portuguese, gold", "pt-BR", "audio/pt"),
    ):
        errors = WordErrors(language[:2])
        for row, result in zip(manifest, results, strict=True):
            if row["path"].startswith(prefix) and row["transcript_quality"] == "gold":
                errors.add(row["transcript"], result["text"])
        print(f"\n{title}: WER {errors.rate:.2f} % of {sum(errors.words)} words")
    wrong = [result for result in results if result["wrong"]]
    for result in wrong:
        print(f"{result['path']}: {'; '.join(result['wrong'])}")
    if given.json:
        given.json.write_text(json.dumps(results, ensure_ascii=False, indent=1), "utf-8")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
