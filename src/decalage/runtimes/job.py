"""An utterance on its way through the stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decalage.config import StreamOptions
from decalage.events import Failure, StageName
from decalage.speech import Utterance

if TYPE_CHECKING:
    from decalage.runtimes.stream import RuntimeStream


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Where its answer goes and when the segmenter let go of it."""

    stream: RuntimeStream
    utterance: Utterance
    options: StreamOptions
    """Those of the stream when the first revision of its utterance came."""
    endpoint: float
    """Seconds on the stream clock; of a provisional utterance, when it was given out."""

    def fail(
        self, stage: StageName, error: str, text: str | None = None, language: str | None = None
    ) -> bool:
        """Answer it with a failure; ``text`` is the transcript, if there is one. As ``stream.answer``."""
        known = {} if text is None else {language or self.options.source: text}
        utterance = self.utterance
        failure = Failure(utterance.index, utterance.start, utterance.end, stage, error, known)
        return self.stream.answer(self, failure)
