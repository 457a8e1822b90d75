"""Every event as one line of JSON."""

from __future__ import annotations

import json

from decalage.events import Event, as_json
from decalage.sinks.output import TextOutput


class JsonlSink:
    """Writes ``as_json`` of each event, one a line; letters the output does not have are escaped."""

    def __init__(self, output: TextOutput) -> None:
        self._output = output

    def write(self, event: Event) -> None:
        self._output.line(json.dumps(as_json(event), ensure_ascii=not self._output.unicode))

    def close(self) -> None:
        self._output.close()
