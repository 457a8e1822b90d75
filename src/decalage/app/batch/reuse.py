"""A result set out of another: files copied, or written anew from the events that are there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from decalage.app.batch.folder import made_file
from decalage.app.batch.naming import Output
from decalage.app.batch.plan import Reuse, Task
from decalage.app.batch.record import Record
from decalage.app.outputs import written_as
from decalage.contracts import Sink
from decalage.errors import MalformedEventError
from decalage.events import Event, Start
from decalage.sinks.captions import Show
from decalage.sinks.output import TextOutput
from decalage.sinks.video import FORM as VIDEO
from decalage.sinks.video import VideoSink, check_recording
from decalage.wire import from_json


def open_sink(made: Path, output: Output, show: Show | None, recording: Path) -> Sink:
    """What writes ``output`` of a result set that is made in the folder ``made``.

    Raises ``UsageError`` for a ``recording`` that no copy can be made of, ``OutputError``.
    """
    path = str(made_file(made, output.suffix))
    if output.form == VIDEO:
        check_recording(str(recording))
        return VideoSink(path, str(recording), show or "target", output.language)
    return written_as(output.form, TextOutput.to_path(path), show, output.language)


def make_from(task: Task, reuse: Reuse, root: Path, made: Path) -> Record:
    """Make in ``made`` what ``task`` lacks, out of ``reuse``, and give the record of the whole.

    Raises ``OutputError``, ``MalformedEventError`` where the events cannot be read, ``OSError``.
    """
    record = reuse.record
    for suffix in sorted(reuse.copied):
        source, target = root / record.files[suffix], made_file(made, suffix)
        if suffix == "jsonl":
            _copy_events(source, target, str(task.path))
        else:
            shutil.copyfile(source, target)
    wanted = [output for output in task.outputs if output.suffix in reuse.made]
    if wanted:
        _write(read_events(root / record.files["jsonl"]), wanted, task, made)
    own = record.name == task.name
    others = record.files if own and record.show == task.show else {}
    there = {suffix: path for suffix, path in others.items() if (root / path).is_file()}
    return replace(
        record,
        name=task.name,
        source=str(task.path),
        stamp=task.stamp or record.stamp,
        show=task.show,
        files={**there, **task.files},
        taken_from=record.taken_from if own else record.name,
    )


def read_events(path: Path) -> Iterator[Event]:
    """The events in a file of a result set. Raises ``MalformedEventError``, ``OSError``."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                event = from_json(json.loads(line))
            except (ValueError, AttributeError) as error:
                raise MalformedEventError(f"{path} is not as it was written: {error}") from error
            if event is not None:
                yield event


def _write(events: Iterator[Event], outputs: Sequence[Output], task: Task, made: Path) -> None:
    with ExitStack() as stack:
        sinks = []
        for output in outputs:
            sinks.append(open_sink(made, output, task.show, task.path))
            stack.callback(sinks[-1].close)
        for event in events:
            for sink in sinks:
                sink.write(replace(event, input=str(task.path)) if isinstance(event, Start) else event)


def _copy_events(source: Path, target: Path, given: str) -> None:
    """The same lines, but for the name of what was captioned."""
    with (
        source.open(encoding="utf-8") as lines,
        target.open("w", encoding="utf-8", errors="replace", newline="\n") as copied,
    ):
        try:
            first = {**json.loads(next(lines, "")), "input": given}
        except (ValueError, TypeError) as error:
            raise MalformedEventError(f"{source} is not as it was written: {error}") from error
        copied.write(json.dumps(first, ensure_ascii=False) + "\n")
        shutil.copyfileobj(lines, copied)
