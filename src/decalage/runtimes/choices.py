"""What may change about a stream while it runs: the languages, and how speech is recognized."""

from __future__ import annotations

import threading
from dataclasses import replace

from decalage.config import StreamOptions


class Choices:
    """The options of each utterance: those in force when its first revision came. From any thread."""

    def __init__(self, options: StreamOptions) -> None:
        self._lock = threading.Lock()
        self._options = options
        self._newest = (-1, options)

    def change(self, options: StreamOptions) -> None:
        """From the next utterance on, text is made as ``options`` say: languages, recognition, terms.

        Where utterances begin and end, the pace and the partials stay as they were.
        """
        with self._lock:
            self._options = replace(
                self._options,
                targets=options.targets,
                directions=options.directions,
                recognizer=options.recognizer,
                terms=options.terms,
            )

    def of(self, index: int) -> StreamOptions:
        """The options of utterance ``index``, asked for in rising order."""
        with self._lock:
            if index > self._newest[0]:
                self._newest = (index, self._options)
            return self._newest[1]
