"""LongYAAL and LongLAAL by OmniSTEval, in a process of its own: ``python -m decalage.app.evaluate.longform``.

Computation-unaware (``yaal``, ``laal``): by the sound that a word was made from; computation-aware
(``ca_…``): by the moment it stood on the screen. Milliseconds become seconds here. A word counts
from when it and all before it stood still. Each recording with a reference translation is one
document of one segment, from its first sample to its last; the silence played after it keeps its last
words live, so none is left out for coming after the end. Polák et al. 2025, "Better Late Than Never",
https://arxiv.org/abs/2509.17349.

Needs the extra ``latency``, and perl for its tokenizer.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from decalage.app.bench.cell import Measured, serve
from decalage.app.bench.launch import ask
from decalage.app.evaluate.figures import Figures
from decalage.errors import DecalageError
from decalage.sinks.output import write_whole

MEND = "pip install '.[latency]' in the clone"
SCORES = {
    "long_yaal": "long_yaal",
    "long_yaal_ca": "ca_long_yaal",
    "long_laal": "long_laal",
    "long_laal_ca": "ca_long_laal",
}
"""Our name → OmniSTEval's."""
_LIMIT_S = 1800.0


def missing() -> str | None:
    """What is not here and how to get it, or None."""
    if importlib.util.find_spec("omnisteval") is None:
        return f"for them run: {MEND}"
    if shutil.which("perl") is None:
        return "their tokenizer needs perl; install it, for example: apt install perl"
    return None


def documents(figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """What of ``figures`` can be scored: live, with a reference translation and some words."""
    return [
        {name: figure[name] for name in ("id", "set", "target", "seconds", "translation", "emissions")}
        for figure in figures
        if figure["error"] is None and figure["translation"] and figure.get("lags") and figure["emissions"]
    ]


def scores(
    given: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[str]], logs: Path | None = None
) -> dict[str, dict[str, float]]:
    """Group → scores in seconds; ``groups`` names the sets in each. Raises ``DecalageError``.

    ``logs``: a folder for what was scored; ``omnisteval longform --word_level --resegmented_hypothesis FILE
    --emission_cu_key emission_cu --emission_ca_key emission_ca`` scores it again.
    """
    if not given:
        return {}
    answer = ask(__name__, {"documents": list(given), "groups": dict(groups)}, _LIMIT_S)
    if answer["error"] is not None:
        raise DecalageError(f"OmniSTEval: {answer['error']}")
    if logs is not None:
        for language, instances in answer["instances"].items():
            lines = [json.dumps(instance, ensure_ascii=False) + "\n" for instance in instances]
            write_whole(str(logs / f"resegmented.{language}.jsonl"), "".join(lines))
    found: dict[str, dict[str, float]] = answer["scores"]
    return found


def _scored(request: Mapping[str, Any]) -> Measured:
    from omnisteval import evaluate_instances  # noqa: PLC0415 - an extra

    instances, told = [], {}
    for language in dict.fromkeys(document["target"] for document in request["documents"]):
        chosen = [document for document in request["documents"] if document["target"] == language]
        made, told[language] = _resegmented(chosen, language)
        instances += list(zip(chosen, made, strict=True))
    groups = {}
    for name, sets in request["groups"].items():
        members = [instance for document, instance in instances if document["set"] in sets]
        if members:
            found, _, _ = evaluate_instances(members, compute_quality=False, is_longform=True)
            groups[name] = {own: found[its] / 1000 for own, its in SCORES.items() if its in found}
    return {"error": None, "scores": groups, "instances": told}


def _resegmented(documents: Sequence[Mapping[str, Any]], language: str) -> tuple[list[Any], list[Any]]:
    """OmniSTEval's instances of ``documents``, and the same as it writes them."""
    from omnisteval import Word, resegment  # noqa: PLC0415

    spoken, segments = [], []
    for number, document in enumerate(documents):
        words = document["translation"].lower().split()
        spoken.append([Word(word, emission_cu=0.0, seq_id=number) for word in words])
        segments.append(
            {"doc_id": number, "seg_id": 0, "offset": 0.0, "duration": 1000 * document["seconds"]}
            | {"time_to_recording_end": None}
        )
    written = [
        [Word(word, emission_cu=1000 * heard, emission_ca=1000 * at) for word, heard, at in each["emissions"]]
        for each in documents
    ]
    references = [document["translation"] for document in documents]
    instances, told = resegment(spoken, written, segments, references, lang=language)
    named = [{**each, "docid": document["id"]} for each, document in zip(told, documents, strict=True)]
    return list(instances), named


if __name__ == "__main__":
    serve(_scored)
