"""The segmenter's times as whole frames, and how long it waits for a pause."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from decalage.audio import SAMPLE_RATE
from decalage.config import SegmenterOptions
from decalage.speech import Ending

_HURRY = 0.85
"""Share of the end silence that a listener no longer waits for when the hard cap is near."""

_REVISE_SHARE = 0.12
"""A long utterance is revised less often: each time costs more and says less that is new."""
_SOON_S = 1.0
"""What is told later would come seconds after its words, and as late as the next end."""
_PLAN_AT = 0.95
"""Of 15 s, 0.75 s are left: about what it takes to recognize so much."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The options in whole frames."""

    end_silence: int
    pre_roll: int
    post_roll: int
    cap: int
    patient: int
    min_speech: int
    """Samples, not frames: the last frame of a stream may be short."""
    pause: int | None
    plan: int
    """Length at which to choose where the cap will cut: what is before it can be recognized meanwhile."""
    revise: int | None
    soon: int
    """How long after a pause an utterance can still be ended there."""
    finished_silence: int
    open_silence: int

    @classmethod
    def of(cls, options: SegmenterOptions, frame_samples: int) -> Lengths:
        """``options`` for a detector whose frames have ``frame_samples``."""
        frame_s = frame_samples / SAMPLE_RATE

        def frames(length_s: float) -> int:
            return ceil(length_s / frame_s)

        return cls(
            end_silence=frames(options.end_silence_s),
            pause=None if options.pause_s is None else frames(options.pause_s),
            plan=int(_PLAN_AT * options.max_utterance_s / frame_s),
            soon=frames(_SOON_S),
            revise=None if options.revise_s is None else frames(options.revise_s),
            finished_silence=frames(options.finished_silence_s or options.end_silence_s),
            open_silence=frames(options.open_silence_s or options.end_silence_s),
            pre_roll=frames(options.pre_roll_s),
            post_roll=frames(options.post_roll_s),
            cap=int(options.max_utterance_s / frame_s),
            min_speech=ceil(options.min_speech_s * SAMPLE_RATE),
            patient=min(int(options.patient_s / frame_s), int(options.max_utterance_s / frame_s) - 1),
        )

    def due(self, spoken: int, revised: int) -> bool:
        """Whether so many frames of speech, revised last after ``revised``, are to be revised again."""
        return self.revise is not None and spoken - revised >= max(self.revise, _REVISE_SHARE * spoken)

    def silence_after(self, length: int, ending: Ending) -> int:
        """Frames of silence that end an utterance of ``length`` frames whose text has this ``ending``.

        The end silence up to ``patient``, then falling evenly to a seventh of it at the cap: a long
        utterance ends at a short pause rather than by a cut that comes seconds after its place.
        """
        waited = max(0, length - self.patient) / (self.cap - self.patient)
        silence = self.end_silence
        if ending != "unclear":
            silence = self.finished_silence if ending == "finished" else self.open_silence
        return max(1, round(silence * (1 - waited * _HURRY)))
