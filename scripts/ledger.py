"""What each technique buys in delay and costs in words: the tables of docs/quality.md.

    DECALAGE_SPEECH=DIR python -m scripts.ledger [--live | --hard] [--folder DIR] [--split tuning|held-out]

Without ``--live`` the gold English recordings run at full speed, cut as when live, and words are
counted: no figure depends on the machine. With it they run at speaking pace, quarter of an hour a row
for all. ``--hard`` is silence, noise, music and speech in noise at speaking pace. Every row is a run
of ``decalage evaluate``; what was measured once is taken from ``--folder`` (default: build/ledger),
unless the program has changed since. Differences are to the first row, over the same recordings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from decalage.app.evaluate.compare import Difference, compare
from decalage.app.evaluate.report import Report, read_report, rows_of
from decalage.app.evaluate.totals import OVERALL
from scripts.evaluation import speech_folder, table

_BASELINE = ["--runtime", "sequential", "--beam", "5", "--encoder-window", "full"]
_CUT = ["--pace", "max", "--end-silence", "0.5"]
_LIVE_BASELINE = [*_BASELINE, "--no-partials", "--no-speculate"]
_HARD = ("silence", "noise", "hum", "DTMF", "music", "clicks", "babble", "quiet")

WORDS: Mapping[str, Sequence[str]] = {
    "baseline: `sequential`, beam 5, 30 s window": [*_CUT, *_BASELINE],
    "beam 1, 30 s window": [*_CUT, "--encoder-window", "full"],
    "beam 1, fitted window": _CUT,
    "the same, cut as a file at full speed": ["--pace", "max"],
}
LIVE: Mapping[str, Sequence[str]] = {
    "baseline: `sequential`, beam 5, 30 s window": _LIVE_BASELINE,
    "defaults": [],
    "`--stability reading`": ["--stability", "reading"],
    "`--end-silence 0.5`, whatever the text says": ["--end-silence", "0.5"],
}
HARD: Mapping[str, Sequence[str]] = {
    "baseline: `sequential`, beam 5, 30 s window": _LIVE_BASELINE,
    "defaults": [],
}


def measured(folder: Path, name: str, arguments: Sequence[str]) -> Report:
    """The report of one run of ``decalage evaluate``."""
    report = folder / f"{name}.json"
    command = [sys.executable, "-m", "decalage", "evaluate", str(speech_folder() / "manifest.jsonl")]
    command += ["--results", str(folder / "results"), "--json", str(report), *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - our own program
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    return read_report(report)


def difference(base: Report, other: Report, measure: str) -> str:
    """Of ``other`` to ``base``, over all sets, with its interval."""
    if base is other:
        return "–"
    found = [each for each in compare(base, other) if (each.set, each.measure) == (OVERALL, measure)]
    return _told(found[0]) if found else "–"


def _told(each: Difference) -> str:
    if each.interval is None:
        return f"{each.other - each.one:+.2f}"
    return f"{each.other - each.one:+.2f} ({each.interval[0]:+.2f} … {each.interval[1]:+.2f})"


def words_line(base: Report, report: Report) -> list[object]:
    """Words and translation."""
    row = report["overall"]
    differences = [difference(base, report, measure) for measure in ("wer", "chrf")]
    return [row["words"], row["wer"], differences[0], row["bleu"], row["chrf"], differences[1]]


def live_line(base: Report, report: Report) -> list[object]:
    """Words, delays and cost."""
    row = report["overall"]
    lag, latency, first = (row[name] or {} for name in ("lag", "latency", "first_words"))
    return [
        row["wer"],
        difference(base, report, "wer"),
        row["chrf"],
        difference(base, report, "chrf"),
        *(_seconds(each) for each in (lag.get("p50"), lag.get("p95"), latency.get("mean"))),
        *(_seconds(each) for each in (first.get("p50"), row["long_yaal_ca"], row["erasure"])),
        round(row["cpu_percent"]),
        round(row["memory_mb"]),
    ]


def _seconds(value: float | None) -> object:
    return "–" if value is None else value


def hard_lines(reports: Mapping[str, Report]) -> list[list[object]]:
    """Set by set: captions where nobody speaks, wrong words where somebody does."""
    columns: list[dict[str, Any]] = [{row["name"]: row for row in rows_of(r)} for r in reports.values()]
    lines: list[list[object]] = []
    for name in columns[0]:
        speech = columns[0][name]["wer"] is not None
        figures = [rows[name]["wer"] if speech else rows[name]["captions"] for rows in columns]
        lines.append([name, "WER %" if speech else "captions", *figures])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--live", action="store_true")
    kind.add_argument("--hard", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("build/ledger"))
    parser.add_argument("--split", choices=["tuning", "held-out"], action="append")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.hard:
        chosen = [word for each in _HARD for word in ("--kind", each)]
        reports = {
            title: measured(given.folder, f"hard-{n}", [*chosen, "--references", "all", *arguments])
            for n, (title, arguments) in enumerate(HARD.items())
        }
        print(table(("", "", *reports), hard_lines(reports)))
        return
    rows, name = (LIVE, "live") if given.live else (WORDS, "words")
    for split in given.split or ("tuning", "held-out"):
        reports = {
            title: measured(given.folder, f"{name}-{n}-{split}", ["--split", split, *arguments])
            for n, (title, arguments) in enumerate(rows.items())
        }
        base = next(iter(reports.values()))
        line, head = (live_line, _LIVE_HEAD) if given.live else (words_line, _WORDS_HEAD)
        print(f"\n{split}: {base['overall']['recordings']} recordings\n")
        print(table(("", *head), [[title, *line(base, each)] for title, each in reports.items()]), flush=True)


_WORDS_HEAD = ("words", "WER %", "difference", "BLEU", "chrF", "difference")
_LIVE_HEAD = (
    "WER %",
    "difference",
    "chrF",
    "difference",
    "lag p50 s",
    "p95",
    "latency mean s",
    "first words p50 s",
    "LongYAAL CA s",
    "erasure",
    "CPU %",
    "memory MB",
)


if __name__ == "__main__":
    main()
