"""A run's trace as a file for Perfetto (ui.perfetto.dev) or chrome://tracing.

The form is the JSON object of the "Trace Event Format" document: spans are complete events on a
track for each thread, queue depths are counters, marks are instants, and arrows lead from the
recognition of an utterance to its translations.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from decalage.errors import UsageError
from decalage.flow.trace import Depth, Mark, Span, Trace
from decalage.sinks.output import check_writable, write_whole

_Event: TypeAlias = dict[str, Any]

_STAGES = ("capture", "vad", "asr", "mt")
_NAMES = {"capture": "audio"}
"""What the process of a stage is called where that is not the stage's name."""
_HOST = "host"


def check_trace(path: str, taken: Sequence[str]) -> None:
    """Refuse what ``write_trace`` could not write or must not replace: the files ``taken``.

    Touches no file. Raises ``UsageError``, ``OutputError``.
    """
    if path == "-":
        raise UsageError("the trace needs a file; standard output is for captions")
    for other in taken:
        if Path(other).resolve() == Path(path).resolve():
            raise UsageError(f"the trace cannot be written to {path}: that file is already in use")
    check_writable(path, whole=True)


def write_trace(trace: Trace, path: str) -> None:
    """Write the whole file or leave what was there. Raises ``OutputError``."""
    write_whole(path, json.dumps(chrome_trace(trace), ensure_ascii=False, separators=(",", ":")) + "\n")


def chrome_trace(trace: Trace, *, host: int | None = None) -> dict[str, Any]:
    """The trace event object of ``trace``: times in µs from the earliest entry, events in order of time.

    ``host`` is the process of the runtime, to which depths and marks belong; this one by default.
    """
    drawing = _Drawing(trace, os.getpid() if host is None else host)
    events = [*drawing.spans(), *drawing.arrows(), *drawing.depths(), *drawing.marks()]
    events.sort(key=lambda event: event["ts"])  # stable: a span stands before the arrow it holds
    return {"traceEvents": [*drawing.names(), *events], "displayTimeUnit": "ms"}


class _Drawing:
    """One trace with the track of each span: a thread, numbered from 1 in its process."""

    def __init__(self, trace: Trace, host: int) -> None:
        self._spans = sorted(trace.spans(), key=lambda span: (span.start, span.end))
        self._depths: list[Depth] = trace.depths()
        self._marks: list[Mark] = trace.marks()
        self._host = host
        times = [span.start for span in self._spans]
        times += [depth.time for depth in self._depths]
        times += [mark.time for mark in self._marks]
        self._origin_s = min(times, default=0.0)
        self._threads: dict[int, list[str]] = defaultdict(list)
        self._threads[host] = []
        self._tracks = self._laid()

    def _laid(self) -> list[int]:
        """The track of each span. Bars of one track must not overlap.

        They would where a worker in a hung call was replaced by a thread of the same name: that one
        gets a track of its own.
        """
        busy_until: dict[tuple[int, str], float] = {}
        tracks = []
        for span in self._spans:
            for number in itertools.count(1):
                name = span.thread if number == 1 else f"{span.thread} ({number})"
                if busy_until.get((span.process, name), span.start) <= span.start:
                    break
            busy_until[span.process, name] = span.end
            names = self._threads[span.process]
            if name not in names:
                names.append(name)
            tracks.append(names.index(name) + 1)
        return tracks

    def _us(self, time_s: float) -> int:
        return round((time_s - self._origin_s) * 1e6)

    def _placed(self, span: Span, track: int) -> _Event:
        """Where and when a span is; its end is rounded like its start, so that neighbours stay apart."""
        start = self._us(span.start)
        return {"ts": start, "dur": max(0, self._us(span.end) - start), "pid": span.process, "tid": track}

    def spans(self) -> Iterator[_Event]:
        """A bar for each span."""
        for span, track in zip(self._spans, self._tracks, strict=True):
            yield {
                "ph": "X",
                "name": _name(span),
                "cat": span.stage,
                **self._placed(span, track),
                "args": {
                    "stream": span.stream,
                    "index": span.index,
                    "revision": "final" if span.revision is None else span.revision,
                    "replica": span.replica,
                    "ipc_ms": round(span.ipc_s * 1e3, 3),
                },
            }

    def arrows(self) -> Iterator[_Event]:
        """From the recognition that an utterance's translations follow to each of them, in order.

        Numbers identify them: Perfetto reads an identifier that is text as a hexadecimal number.
        """
        last: dict[tuple[str, int, int | None], _Event] = {}
        to: dict[tuple[str, int, int | None], list[_Event]] = defaultdict(list)
        for span, track in zip(self._spans, self._tracks, strict=True):
            utterance = (span.stream, span.index, span.revision)
            if span.stage == "asr" and utterance not in to:
                last[utterance] = self._placed(span, track)
            elif span.stage == "mt" and utterance in last:
                to[utterance].append(self._placed(span, track))
        for number, (utterance, translations) in enumerate(to.items(), 1):
            tail = last[utterance]
            tail["ts"] += max(0, tail["dur"] - 1)  # within its bar, or the arrow is bound to none
            phases = ["s", *"t" * (len(translations) - 1), "f"]
            for phase, place in zip(phases, [tail, *translations], strict=True):
                del place["dur"]
                event = {"ph": phase, "id": number, "name": "utterance", "cat": "utterance", **place}
                yield event if phase == "s" else {**event, "bp": "e"}

    def depths(self) -> Iterator[_Event]:
        """A point of a counter for each depth."""
        for depth in self._depths:
            yield {
                "ph": "C",
                "name": depth.queue,
                "cat": "queue",
                "ts": self._us(depth.time),
                "pid": self._host,
                "args": {"waiting": depth.value},
            }

    def marks(self) -> Iterator[_Event]:
        """A line across all tracks for each mark."""
        for mark in self._marks:
            yield {
                "ph": "i",
                "s": "g",
                "name": mark.name,
                "cat": "mark",
                "ts": self._us(mark.time),
                "pid": self._host,
                "tid": 0,
                "args": {"detail": mark.detail},
            }

    def names(self) -> Iterator[_Event]:
        """What processes and threads are called, processes in the order in which sound meets them."""
        for process, threads in self._threads.items():
            stages = [s for s in _STAGES if any(p.stage == s and p.process == process for p in self._spans)]
            name = "/".join(_NAMES.get(stage, stage) for stage in stages)
            if process == self._host:
                name = f"{_HOST} ({name})" if name else _HOST
            order = _STAGES.index(stages[0]) + 1 if stages and process != self._host else 0
            yield _meta("process_name", process, 0, name=name)
            yield _meta("process_sort_index", process, 0, sort_index=order)
            named = enumerate(threads, 1)
            if process == self._host and self._marks:
                named = enumerate(["marks", *threads], 0)
            for track, thread in named:
                yield _meta("thread_name", process, track, name=thread)


def _meta(kind: str, process: int, thread: int, **args: str | int) -> _Event:
    return {"ph": "M", "name": kind, "ts": 0, "pid": process, "tid": thread, "args": args}


def _name(span: Span) -> str:
    """Stage and utterance: ``asr 3``, or ``asr 3 r2`` for its third provisional revision."""
    return f"{span.stage} {span.index}" + ("" if span.revision is None else f" r{span.revision}")
