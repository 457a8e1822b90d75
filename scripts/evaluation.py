"""What the measuring scripts share: the gold recordings, word error rates, tables."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from decalage.app.bench.quality import word_errors
from decalage.app.evaluate.bootstrap import Words
from decalage.audio import SAMPLE_RATE, Samples
from decalage.events import Caption
from decalage.sources.file import FileSource

LONGEST_S = 27.0
"""Recordings longer than this are no single utterance."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of a manifest with its sound."""

    path: Path
    language: str
    transcript: str
    samples: Samples


def speech_folder() -> Path:
    """The evaluation speech: ``DECALAGE_SPEECH``."""
    folder = os.environ.get("DECALAGE_SPEECH")
    if not folder:
        raise SystemExit("set DECALAGE_SPEECH to the folder of the evaluation speech")
    return Path(folder)


def rows() -> list[dict[str, Any]]:
    """The manifest."""
    text = (speech_folder() / "manifest.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def decode(path: Path) -> Samples:
    """All of a file, 16 kHz mono."""
    return np.concatenate([chunk.samples for chunk in FileSource(str(path))])


def write_wav(path: Path, samples: Samples) -> None:
    """``samples``, 16 kHz mono, as a WAV file of 16 bits."""
    pcm = np.clip(np.round(samples * (1 << 15)), -(1 << 15), (1 << 15) - 1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.tobytes())


def gold(language: str, limit: int | None = None, longest_s: float = LONGEST_S) -> list[Recording]:
    """Gold recordings of ``language`` (en or pt-BR) up to ``longest_s``."""
    chosen = [
        row
        for row in rows()
        if row["path"].startswith("audio/")
        and row["language"] == language
        and row["transcript_quality"] == "gold"
        and row["seconds"] <= longest_s
    ][:limit]
    folder = speech_folder()
    return [
        Recording(folder / row["path"], language[:2], row["transcript"], decode(folder / row["path"]))
        for row in chosen
    ]


def joined(captions: Sequence[Caption], language: str) -> str:
    """All that the captions say in ``language``."""
    return " ".join(each.text.get(language, "") for each in captions)


class WordErrors:
    """Errors and words of each recording after Whisper's normalizer, for rates and intervals."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.errors: list[int] = []
        self.words: list[int] = []

    def add(self, reference: str, heard: str) -> None:
        """Count one recording."""
        errors, words = word_errors(reference, heard, self._language)
        self.errors.append(errors)
        self.words.append(words)

    @property
    def counted(self) -> Words:
        """For bootstrap intervals."""
        return Words(self.errors, self.words)

    @property
    def rate(self) -> float:
        """Word error rate in per cent over all."""
        return self.counted.rate()


def table(head: Sequence[str], lines: Sequence[Sequence[object]], digits: int = 2) -> str:
    """A Markdown table; floats to ``digits`` places."""
    cells = [
        [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines
    ]
    parts = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(part) + " |" for part in parts)
