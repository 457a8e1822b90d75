"""One cell, run in a fresh process: ``python -m decalage.app.bench.cell``.

Reads a request (``Cell.request``) as JSON from standard input, writes the result as one line of
JSON to standard output: what ``measured`` gives, or ``{"error": one line}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from decalage.app.allocator import share_arenas
from decalage.app.bench.complexity import own_lines
from decalage.app.bench.machine import Neighbours, Parts
from decalage.app.bench.verdicts import keeps_up, lost, order_violations
from decalage.app.compose import make_blueprint, make_runtime, open_source, start_event, stream_options
from decalage.app.session import Session
from decalage.app.settings import Settings
from decalage.config import Term
from decalage.errors import DecalageError, one_line
from decalage.events import Caption, Settled, Summary, as_json
from decalage.flow.trace import Depth, Mark, Span, Trace

Measured: TypeAlias = dict[str, Any]
"""The result of a cell, ready for JSON."""

_DIGITS = 6


def measured(audio: str, settings: Settings) -> Measured:
    """Run ``audio`` through a runtime of its own. Raises ``DecalageError``."""
    parts, trace = Parts(), Trace()
    blueprint = make_blueprint(settings)
    source = open_source(audio, settings)
    runtime = make_runtime(settings, blueprint, trace=trace)
    settled: list[Settled] = []
    summary: Summary | None = None
    try:
        stream = runtime.run(source, stream_options(settings, blueprint))
        neighbours = Neighbours()
        parts.look()  # capture may be over before the first event
        start = start_event(settings, blueprint, audio, runtime.options.workers)
        for event in Session(runtime, stream, start):
            parts.look()
            if isinstance(event, Settled):
                settled.append(event)
            elif isinstance(event, Summary):
                summary = event
        assert summary is not None  # noqa: S101 - a session ends with it
        others_percent = neighbours.percent(summary.cpu_percent or 0.0)
        issued = stream.statistics().utterances
    finally:
        runtime.close()
    result = _result(settled, summary, issued)
    result["ipc_ms"] = 1000 * sum(span.ipc_s for span in trace.spans()) / max(1, issued)
    result["moving_parts"] = {
        "threads": parts.threads,
        "processes": parts.processes,
        "queues": len({depth.queue for depth in trace.depths()}),
    }
    result["others_percent"] = others_percent
    result["lines"] = own_lines(type(runtime))
    if settings.pace == "realtime":
        result["trace"] = as_lists(trace)
    return result


def _result(settled: list[Settled], summary: Summary, issued: int) -> Measured:
    """What the events of a run say."""
    indices = [event.index for event in settled]
    captions = [event for event in settled if isinstance(event, Caption)]
    lags = [(caption.end, caption.lag) for caption in captions if caption.lag is not None]
    return {
        "error": None,
        "summary": as_json(summary),
        "captions": [
            {"index": c.index, "start": c.start, "end": c.end, "text": dict(c.text)}
            | {"latency": c.latency, "lag": c.lag, "asr_start": c.timing.asr_start}
            for c in captions
        ],
        "issued": issued,
        "order_violations": order_violations(indices),
        "lost": lost(indices, issued),
        "realtime": keeps_up(lags, summary.dropped_s) if lags or summary.dropped_s else None,
    }


def as_lists(trace: Trace) -> dict[str, list[dict[str, Any]]]:
    """The entries of ``trace`` as dicts, floats rounded to a microsecond."""
    entries: dict[str, Sequence[Span | Depth | Mark]] = {
        "spans": trace.spans(),
        "depths": trace.depths(),
        "marks": trace.marks(),
    }
    return {
        name: [
            {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in asdict(entry).items()}
            for entry in each
        ]
        for name, each in entries.items()
    }


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings back from JSON."""
    terms = (
        Term(each["text"], each["everywhere"], tuple((lang, words) for lang, words in each["by_language"]))
        for each in given.get("terms", ())
    )
    return Settings(**{**given, "targets": tuple(given["targets"]), "terms": tuple(terms)})


def serve(work: Callable[[Mapping[str, Any]], Measured]) -> None:
    """A process's edge: one request, one result; whatever fails becomes the line the launcher reads."""
    share_arenas()
    try:
        result = work(json.load(sys.stdin))
    except DecalageError as error:
        result = {"error": one_line(error)}
    except Exception as error:
        result = {"error": one_line(f"{type(error).__name__}: {error}")}
    sys.stdout.write(json.dumps(result, ensure_ascii=True) + "\n")


if __name__ == "__main__":  # spawned children import this module too
    serve(lambda request: measured(request["audio"], settings_of(request["settings"])))
