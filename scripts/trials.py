"""The long measurements, one after the other, into docs/measurements.md: about half an hour.

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

DOCUMENT = Path("docs/measurements.md")

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
    "Memory a plan needs": ["-m", "scripts.measure_memory"],
    "Contract suite, fifty times over": ["-m", "scripts.repeat", "50", "tests/runtimes/test_contract.py"],
}


def _machine() -> str:
    model = ""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        found = re.search(r"model name\s*: (.*)", information.read_text("utf-8"))
        model = f", {found.group(1)}" if found else ""
    features = "/".join(look().features or ())
    cores = f"{available_cores()} cores {platform.machine()}{model}{features and f' ({features})'}"
    return f"{cores}, Python {platform.python_version()}"


def _sections() -> dict[str, str]:
    """The document as it stands: title → body."""
    if not DOCUMENT.is_file():
        return {}
    parts = re.split(r"^## (.*)$", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (body.strip("\n") for body in parts[2::2]), strict=True))


def main() -> None:
    """Run what is asked for; the document is written after each section."""
    only = os.environ.get("ONLY", "").lower()
    sections, failed = _sections(), []
    for title, arguments in SECTIONS.items():
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
        sections[title] = f"{command}\n\n{done.stdout.strip()}"
        kept = [title for title in SECTIONS if title in sections]
        text = "\n\n".join(f"## {title}\n\n{sections[title]}" for title in kept)
        DOCUMENT.write_text(f"# Measurements\n\nMade by `make trials`. {_NOTE}\n\n{text}\n", "utf-8")
    if failed:
        sys.exit(f"not as expected: {', '.join(failed)}")


_NOTE = "Ratios within one table are trustworthy, absolute times belong to the machine."


if __name__ == "__main__":
    main()
