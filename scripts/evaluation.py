"""What the measuring scripts share: the gold recordings, word error rates, bootstrap intervals."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from decalage.audio import Samples
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


def gold(language: str, limit: int | None = None) -> list[Recording]:
    """Gold recordings of ``language`` (en or pt-BR) up to ``LONGEST_S``."""
    chosen = [
        row
        for row in rows()
        if row["path"].startswith("audio/")
        and row["language"] == language
        and row["transcript_quality"] == "gold"
        and row["seconds"] <= LONGEST_S
    ][:limit]
    folder = speech_folder()
    return [
        Recording(folder / row["path"], language[:2], row["transcript"], decode(folder / row["path"]))
        for row in chosen
    ]


class WordErrors:
    """Errors and words of each recording after Whisper's normalizer, for rates and intervals."""

    def __init__(self, language: str) -> None:
        self._normalize = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
        self.errors: list[int] = []
        self.words: list[int] = []

    def add(self, reference: str, heard: str) -> None:
        """Count one recording."""
        measured = jiwer.process_words(self._normalize(reference), self._normalize(heard))
        self.errors.append(measured.substitutions + measured.deletions + measured.insertions)
        self.words.append(measured.hits + measured.substitutions + measured.deletions)

    @property
    def rate(self) -> float:
        """Word error rate in per cent over all."""
        return 100 * sum(self.errors) / sum(self.words)


def difference_interval(a: WordErrors, b: WordErrors, resamples: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of rate(a) − rate(b) in points, over paired recordings, seeded."""
    generator = np.random.default_rng(20)
    difference = np.array(a.errors) - np.array(b.errors)
    words = np.array(a.words)
    draws = generator.integers(0, len(words), (resamples, len(words)))
    rates = 100 * difference[draws].sum(axis=1) / words[draws].sum(axis=1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


def table(head: Sequence[str], lines: Sequence[Sequence[object]], digits: int = 2) -> str:
    """A Markdown table; floats to ``digits`` places."""
    cells = [
        [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines
    ]
    parts = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(part) + " |" for part in parts)
