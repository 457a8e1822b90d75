"""The long trials, one after the other, into docs/measurements.md and docs/reliability.md: hours in all.

    DECALAGE_SPEECH=DIR make trials [ONLY=word]

Each section is a command that can be run alone; its output stands below it as it was printed. With
``ONLY`` just the sections whose title holds the word are made again, the others stay.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from decalage.app.machine import look
from decalage.app.settings import available_cores

SECTIONS: dict[str, list[str]] = {
    "Every file of the evaluation speech": ["-m", "scripts.every_file"],
    "Recognition against faster-whisper, English": [
        "-m",
        "scripts.recognition_accuracy",
    ],
    "Recognition against faster-whisper, Portuguese": [
        "-m",
        "scripts.recognition_accuracy",
        "--language",
        "pt-BR",
    ],
    "Names and terms": ["-m", "scripts.names"],
    "Other languages": ["-m", "scripts.tongues"],
    "Subtitles": ["-m", "scripts.subtitles"],
    "The engines that run Firefox models": ["-m", "scripts.compare_translators"],
    "The baseline against a plain script": ["-m", "scripts.honest_baseline", "samples/talk.flac"],
    "The runtimes side by side": [
        "-m",
        "decalage",
        "bench",
        "--json",
        "docs/bench.json",
        "--markdown",
        "docs/bench.md",
        "--plot",
        "docs/bench.svg",
    ],
    "An archive against faster-whisper": ["-m", "scripts.throughput", "--minutes", "8", "--files", "8"],
    "Memory a plan needs": ["-m", "scripts.measure_memory"],
    "Contract suite, fifty times over": ["-m", "scripts.repeat", "50", "tests/runtimes/test_contract.py"],
}

FAULTS: dict[str, list[str]] = {
    "Killed at random moments": ["-m", "scripts.killed"],
    "A recognizer that is too slow": [
        "-m",
        "scripts.slow",
        "--json",
        "docs/slow.json",
        "--plot",
        "docs/slow.svg",
    ],
    "Chaos": ["-m", "scripts.chaos", "--json", "docs/chaos.json"],
    "Soak on fakes": [
        "-m",
        "scripts.soak",
        "--fakes",
        "--json",
        "docs/soak-fakes.json",
        "--plot",
        "docs/soak-fakes.svg",
    ],
    "Soak, one hour of real speech": [
        "-m",
        "scripts.soak",
        "--real",
        "--json",
        "docs/soak-real.json",
        "--plot",
        "docs/soak-real.svg",
    ],
    "Soak, one hour of real speech at full speed": [
        "-m",
        "scripts.soak",
        "--real",
        "--speed",
        "0",
        "--json",
        "docs/soak-full.json",
        "--plot",
        "docs/soak-full.svg",
    ],
    "Fuzzing": ["-m", "scripts.fuzz"],
}

DOCUMENTS = {Path("docs/measurements.md"): SECTIONS, Path("docs/reliability.md"): FAULTS}
"""Where the sections stand, below what is written there by hand."""


def _machine() -> str:
    model = ""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        found = re.search(r"model name\s*: (.*)", information.read_text("utf-8"))
        model = f", {found.group(1)}" if found else ""
    features = "/".join(look().features or ())
    cores = f"{available_cores()} cores {platform.machine()}{model}{features and f' ({features})'}"
    return f"{cores}, Python {platform.python_version()}"


def _parts(document: Path) -> tuple[str, dict[str, str]]:
    """The document as it stands: what is above the sections; title → body."""
    if not document.is_file():
        return "", {}
    head, *parts = re.split(r"^## (.*)$", document.read_text("utf-8"), flags=re.MULTILINE)
    bodies = (body.strip("\n") for body in parts[1::2])
    return head.strip("\n"), dict(zip(parts[0::2], bodies, strict=True))


def _put(document: Path, title: str, body: str) -> None:
    """Put a section in its place; the others stay."""
    head, sections = _parts(document)
    sections[title] = body
    kept = [title for title in DOCUMENTS[document] if title in sections]
    text = "\n\n".join([head, *(f"## {title}\n\n{sections[title]}" for title in kept)])
    document.write_text(f"{text}\n", "utf-8")


def main() -> None:
    """Run what is asked for; its document is written after each section."""
    only = os.environ.get("ONLY", "").lower()
    failed = []
    for document, sections in DOCUMENTS.items():
        for title, arguments in sections.items():
            if only not in title.lower():
                continue
            print(f"{title} …", file=sys.stderr)
            done = subprocess.run(  # noqa: S603 - our own scripts
                [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=False
            )
            if done.returncode:
                failed.append(title)
            today = datetime.now(UTC).date().isoformat()
            command = f"`python {' '.join(arguments)}` · {today} · {_machine()}"
            _put(document, title, f"{command}\n\n{done.stdout.strip()}")
    if failed:
        sys.exit(f"not as expected: {', '.join(failed)}")


if __name__ == "__main__":
    main()
