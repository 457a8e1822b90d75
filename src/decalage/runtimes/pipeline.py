"""Option 1: each stage has its own workers, and one utterance's MT overlaps the next one's ASR.

::

    capture ─▶ inbox ─▶ VAD ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT ─▶ reorder ─▶ events
    a thread            one                threads over            one
    a stream            thread             one set of weights      thread
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from decalage.contracts import Recognizer, StageBlueprint, Translator
from decalage.runtimes.calls import RecognizedJob, Seat, Translations
from decalage.runtimes.job import Job
from decalage.runtimes.staged import StagedRuntime


class PipelineRuntime(StagedRuntime):
    """The default: N recognitions at a time over shared weights, translation overlapped."""

    name: ClassVar[str] = "pipeline"

    def _load(self, blueprint: StageBlueprint) -> None:
        """Both at the same time, each on a worker that will use it."""
        recognizer = self._asr.submit(blueprint.recognizer, self.options.workers)
        translator = self._mt.submit(blueprint.translator)
        self._recognizer: Seat[Recognizer] = Seat(recognizer.result())
        self._translator: Seat[Translator] = Seat(translator.result())

    def _recognized(self, job: Job, given_up: Callable[[], None]) -> RecognizedJob | None:
        return self._recognize_within(self._asr, job, self._recognizer, given_up)

    def _conclude(self, work: Translations) -> None:
        self._translate_within(self._mt, work, self._translator)
