"""From the events of one recording to its figures, which sets and comparisons are made of.

A figure is a dict ready for JSON: what was said and should have been, and counts and lists that can
be added up over recordings. What cannot be said of a recording is absent or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from decalage.app.bench.cell import Measured
from decalage.app.bench.quality import installed, word_errors
from decalage.app.evaluate.manifest import SILENT, Recording
from decalage.app.evaluate.shown import Event, emissions, erased, first_words, histories
from decalage.app.settings import Settings

Figures: TypeAlias = dict[str, Any]
Spans: TypeAlias = Sequence[tuple[float, float]]

_LATE_S = 1.0
"""Voice activity finds a soft beginning up to 0.8 s late."""


def figures(recording: Recording, result: Measured, settings: Settings) -> Figures:
    """All of ``recording``; with ``error`` alone where it failed."""
    options = settings.stream_options()
    target = recording.reference(options.targets)
    known = {
        "id": recording.id,
        "set": recording.set_name,
        "path": recording.path,
        "held_out": recording.held_out,
        "error": result["error"],
        "measured_at": result.get("measured_at"),
        "transcript": recording.transcript if recording.set_name != SILENT else None,
        "translation": recording.translation if target else None,
        "target": target or options.targets[0],
    }
    if result["error"] is not None:
        return known
    if recording.path is None:
        return {**known, **_read(known["target"], result)}
    return {**known, **_heard(recording, known, result, settings)}


def _read(target: str, result: Measured) -> Figures:
    made = result["translations"][target]
    return {
        "translated": made or "",
        "failures": int(made is None),
        "translation_s": result["seconds"][target],
    }


def _heard(recording: Recording, known: Figures, result: Measured, settings: Settings) -> Figures:
    events, target, source = result["events"], known["target"], settings.stream_options().source
    captions = [event for event in events if event["type"] == "caption"]
    heard = " ".join(caption["text"].get(source, "") for caption in captions)
    tail_s = 0.0 if result["summary"].get("damaged") else result["tail_s"]  # damage ends before it
    return {
        "seconds": result["summary"]["audio_s"] - tail_s,
        "heard": heard,
        "translated": " ".join(caption["text"].get(target, "") for caption in captions),
        **_words(known["transcript"], heard, source),
        **_delays(recording, captions, target, result),
        **_grown(events, target, grows=settings.grows),
        **_covered(recording, captions, result),
        **_cost(result),
    }


def _delays(recording: Recording, captions: Sequence[Event], target: str, result: Measured) -> Figures:
    """Seconds; empty and None at full speed."""
    live = result["summary"]["rtf"] is None
    events, spans = result["events"], _speech(result)
    begin = _beginning(recording, spans, result) if live else None
    return {
        "lags": [caption["lag"] for caption in captions if caption["lag"] is not None],
        "latencies": [caption["latency"] for caption in captions if caption["latency"] is not None],
        "first_words": _first_words(events, target, spans) if live else [],
        "first_caption": _first_caption(events, target, begin),
    }


def _grown(events: Sequence[Event], target: str, *, grows: bool) -> Figures:
    """How captions came to be what they are; ``partials`` is None where none were asked for."""
    shown = list(histories(events, target).values())
    return {
        "partials": sum(event["type"] == "partial" for event in events) if grows else None,
        "erased_words": sum(map(erased, shown)),
        "shown_words": sum(len(history[-1].words) for history in shown),
        "emissions": [list(emission) for history in shown for emission in emissions(history)],
    }


def _covered(recording: Recording, captions: Sequence[Event], result: Measured) -> Figures:
    speech = [(span.start, span.end) for span in recording.speech] or _speech(result)
    return {
        "speech_s": sum(end - start for start, end in speech),
        "captioned_s": overlap(speech, [(each["start"], each["end"]) for each in captions]),
        "utterances_s": [each["end"] - each["start"] for each in captions],
    }


def _cost(result: Measured) -> Figures:
    """As in the run's summary."""
    summary = result["summary"]
    return {
        "service_s": summary["load"] * summary["audio_s"],
        **{name: summary[name] for name in ("captions", "failures", "rejected", "gaps", "dropped_s")},
        **{name: summary[name] for name in ("rtf", "wall_s", "cpu_percent", "memory_mb", "cold_start_s")},
        "damaged": summary.get("damaged"),
        **{name: result[name] for name in ("lost", "order_violations", "others_percent")},
    }


def _words(transcript: str | None, heard: str, source: str) -> Figures:
    if not transcript or not installed():
        return {}
    errors, words = word_errors(transcript, heard, source)
    return {"errors": errors, "words": words}


def _speech(result: Measured) -> list[tuple[float, float]]:
    """Where speech is: voice activity, its first beginning put right by the level of the sound."""
    spans = [(start, end) for start, end in result["voiced"]]
    if spans and 0 <= spans[0][0] - result["onset"] <= _LATE_S:
        spans[0] = (result["onset"], spans[0][1])
    return spans


def _beginning(recording: Recording, spans: Spans, result: Measured) -> float | None:
    """When speech begins: where the manifest tells, silence at the beginning of a segment passed over."""
    if recording.speech:
        return max(recording.speech[0].start, float(result["onset"]))
    return spans[0][0] if spans else None


def _first_caption(events: Sequence[Event], target: str, begin: float | None) -> float | None:
    """From the beginning of speech to the first words shown, seconds."""
    shown = [at for history in histories(events, target).values() if (at := first_words(history)) is not None]
    return min(shown) - begin if shown and begin is not None else None


def _first_words(events: Sequence[Event], target: str, speech: Spans) -> list[float]:
    """For each utterance: from its first speech, its pre-roll passed over, to its first words shown."""
    begins = {event["index"]: (event["start"], event["end"]) for event in events}
    found = []
    for index, history in histories(events, target).items():
        at = first_words(history)
        if at is not None:
            begin, end = begins[index]
            inside = [max(begin, start) for start, stop in speech if stop > begin and start < end]
            found.append(at - min(inside, default=begin))
    return found


def overlap(one: Spans, other: Spans) -> float:
    """Seconds that are in both; the spans of each do not touch one another."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)


def heard_of(figure: Mapping[str, Any]) -> bool:
    """Whether ``figure`` is of sound with speech in it that went through."""
    return figure["error"] is None and "heard" in figure and figure["set"] != SILENT
