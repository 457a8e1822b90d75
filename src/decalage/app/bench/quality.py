"""Words right or wrong: WER of what was heard and chrF of its translation, where there is a reference.

Needs the extra ``quality``; without it nothing is said of quality.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from decalage.app.bench.plan import Audio
from decalage.app.texts import read_utf8
from decalage.errors import InputError
from decalage.languages import primary

_NEEDED = ("jiwer", "whisper_normalizer", "sacrebleu")
MEND = "pip install '.[quality]' in the clone"


def installed() -> bool:
    """Whether the extra is here."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


@dataclass(frozen=True, slots=True)
class References:
    """What is said in a sound, and what that is in the target language; None where nobody has told."""

    transcript: str | None = None
    translation: str | None = None

    @classmethod
    def beside(cls, audio: Audio, target: str) -> References:
        """From ``manifest.jsonl`` in the sound's folder; of a sound that is cut nothing is known."""
        row = _manifest_row(Path(audio.path).resolve()) if audio.cut_s is None else {}
        spoken = row.get("translation_language")
        fits = isinstance(spoken, str) and primary(spoken) == primary(target)
        translation = row.get("translation") if fits else None
        return cls(row.get("transcript") or None, translation or None)


def read_text(path: Path) -> str:
    """A reference from a file. Raises ``InputError``."""
    text = read_utf8(path).strip()
    if not text:
        raise InputError(f"{path} is empty; a reference needs words")
    return text


def quality(
    captions: Sequence[Mapping[str, Any]], references: References, source: str, target: str
) -> dict[str, float | None]:
    """WER and chrF of a run in per cent; None without a reference or without the extra."""
    heard, translated = _joined(captions, source), _joined(captions, target)
    present = installed()
    return {
        "wer": _wer(references.transcript, heard, source) if present and references.transcript else None,
        "chrf": _chrf(references.translation, translated) if present and references.translation else None,
    }


def _joined(captions: Sequence[Mapping[str, Any]], language: str) -> str:
    return " ".join(caption["text"].get(language, "") for caption in captions)


def _wer(reference: str, heard: str, language: str) -> float | None:
    """Per cent; None where the reference holds no word."""
    errors, words = word_errors(reference, heard, language)
    return 100 * errors / words if words else None


def word_errors(reference: str, heard: str, language: str) -> tuple[int, int]:
    """Errors, and words of the reference, after Whisper's normalizer for ``language``. Needs the extra."""
    import jiwer  # noqa: PLC0415 - an extra

    normalize = _normalizer(language)
    words = normalize(reference).strip()
    said = normalize(heard).strip()
    if not words:
        return len(said.split()), 0
    counted = jiwer.process_words(words, said)
    errors = counted.substitutions + counted.deletions + counted.insertions
    return errors, counted.hits + counted.substitutions + counted.deletions


@cache
def _normalizer(language: str) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer  # noqa: PLC0415 - an extra
    from whisper_normalizer.english import EnglishTextNormalizer  # noqa: PLC0415

    made: Callable[[str], str] = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return made


def _chrf(reference: str, translated: str) -> float:
    """0 to 100, sacreBLEU's chrF2."""
    import sacrebleu  # noqa: PLC0415 - an extra

    return float(sacrebleu.corpus_chrf([translated], [[reference]]).score)


def _manifest_row(audio: Path) -> Mapping[str, Any]:
    """The audio's row, empty if there is none or the manifest is not one of ours."""
    try:
        lines = (audio.parent / "manifest.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError):
        return {}
    return next((row for row in rows if isinstance(row, dict) and row.get("path") == audio.name), {})
