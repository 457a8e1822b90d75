"""A picture of a run in a terminal, from its events.

decalage translate samples/talk.flac --pace realtime --format jsonl > run.jsonl
python -m scripts.picture run.jsonl docs/captions.svg
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from decalage.events import Caption, Event, Spread, Summary, Timing
from decalage.sinks.summary import summary_table
from decalage.sinks.terminal import TerminalSink

WIDTH = 92
"""Columns."""


def parse(line: str) -> Event | None:
    """A caption or the summary; other events are not in the picture."""
    body: dict[str, Any] = json.loads(line)
    kind = body.pop("type")
    if kind == "caption":
        return Caption(**{**body, "timing": Timing(**body["timing"])})
    if kind == "summary":
        spreads = {name: Spread(**body[name]) for name in ("latency", "lag") if body[name]}
        return Summary(**{**body, **spreads})
    return None


def main() -> None:
    events_path, picture_path = Path(sys.argv[1]), Path(sys.argv[2])
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    sink = TerminalSink(console, show="both", live=False)
    for line in events_path.read_text("utf-8").splitlines():
        event = parse(line)
        if isinstance(event, Summary):
            console.print()
            console.print(summary_table(event))
        elif event is not None:
            sink.write(event)
    picture_path.parent.mkdir(exist_ok=True)
    console.save_svg(str(picture_path), title="decalage translate samples/talk.flac --pace realtime")


if __name__ == "__main__":
    main()
