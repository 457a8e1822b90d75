"""One recording, or a list of texts, in a fresh process: ``python -m decalage.app.evaluate.cell``.

Reads a request as JSON from standard input, writes the result as one line of JSON to standard
output: what ``heard`` or ``translated`` gives, or ``{"error": one line}``. What the figures are is
not decided here: results stay good when a figure is told in another way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from decalage.app.bench.cell import Measured, serve, settings_of
from decalage.app.bench.machine import Neighbours
from decalage.app.bench.verdicts import lost, order_violations
from decalage.app.compose import make_blueprint, make_runtime, shared_vad, start_event, stream_options
from decalage.app.evaluate.onset import onset, voiced
from decalage.app.evaluate.tail import Tailed
from decalage.app.session import Session
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, Samples
from decalage.clock import SystemClock
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError, EngineError
from decalage.events import Partial, Settled, Summary, as_json
from decalage.sources.file import FileSource
from decalage.sources.pace import Paced


def heard(path: str, settings: Settings, tail_s: float) -> Measured:
    """Run a recording through a runtime of its own. Raises ``DecalageError``.

    ``events``: partial and settled ones, each with ``at``, when it was read on the stream clock.
    ``onset`` and ``voiced``: where speech is, seconds.
    """
    blueprint = make_blueprint(settings)
    source: AudioSource = Tailed(FileSource(path), tail_s)
    if settings.pace == "realtime":
        source = Paced(source, SystemClock())
    runtime = make_runtime(settings, blueprint)
    events: list[dict[str, Any]] = []
    try:
        stream = runtime.run(source, stream_options(settings, blueprint))
        neighbours = Neighbours()
        start = start_event(settings, blueprint, path, runtime.options.workers)
        for event in Session(runtime, stream, start):
            if isinstance(event, Partial | Settled):
                events.append({**as_json(event), "at": round(stream.now(), 4)})
            elif isinstance(event, Summary):
                summary = event
        issued = stream.statistics().utterances
    finally:
        runtime.close()
    indices = [event["index"] for event in events if event["type"] != "partial"]
    samples = decoded(FileSource(path))
    return {
        "error": None,
        "summary": as_json(summary),
        "events": events,
        "tail_s": tail_s,
        "order_violations": order_violations(indices),
        "lost": lost(indices, issued),
        "onset": onset(samples),
        "voiced": voiced(samples, shared_vad().detector()),
        "others_percent": neighbours.percent(summary.cpu_percent or 0.0),
    }


def decoded(source: AudioSource) -> Samples:
    """All sound of a source, as far as it can be decoded."""
    return np.concatenate([np.zeros(0, np.float32), *(chunk.samples for chunk in _undamaged(source))])


def _undamaged(source: AudioSource) -> Iterator[AudioChunk]:
    try:
        yield from source
    except DamagedInputError:
        return


def translated(texts: Sequence[str], settings: Settings) -> Measured:
    """Translate ``texts`` one by one, without sound. Raises ``DecalageError``.

    ``translations``: target → one for each text, None where the engine failed; ``seconds`` likewise.
    """
    began = time.monotonic()
    options = settings.stream_options()
    translator = make_blueprint(settings).translator()
    start_s = time.monotonic() - began
    translations: dict[str, list[str | None]] = {}
    seconds: dict[str, list[float]] = {}
    for target in options.targets:
        made, took = translations.setdefault(target, []), seconds.setdefault(target, [])
        for text in texts:
            at = time.monotonic()
            try:
                made.append(translator.translate(text, source=options.source, target=target).text)
            except EngineError:
                made.append(None)
            took.append(round(time.monotonic() - at, 6))
    summary = {"rtf": None, "lag": None, "cold_start_s": start_s}
    return {"error": None, "summary": summary, "translations": translations, "seconds": seconds}


def answer(request: Mapping[str, Any]) -> Measured:
    """What is asked for."""
    settings = settings_of(request["settings"])
    if "texts" in request:
        return translated(request["texts"], settings)
    return heard(request["audio"], settings, request["tail_s"])


if __name__ == "__main__":  # spawned children import this module too
    serve(answer)
