"""The segmenter's times as whole frames, and how long it waits for a pause."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from decalage.audio import SAMPLE_RATE
from decalage.config import SegmenterOptions

_HURRY = 2 / 3
"""Share of the end silence that a listener no longer waits for when the hard cap is near."""


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

    @classmethod
    def of(cls, options: SegmenterOptions, frame_samples: int) -> Lengths:
        """``options`` for a detector whose frames have ``frame_samples``."""
        frame_s = frame_samples / SAMPLE_RATE
        return cls(
            end_silence=ceil(options.end_silence_s / frame_s),
            pre_roll=ceil(options.pre_roll_s / frame_s),
            post_roll=ceil(options.post_roll_s / frame_s),
            cap=int(options.max_utterance_s / frame_s),
            min_speech=ceil(options.min_speech_s * SAMPLE_RATE),
            patient=min(int(options.patient_s / frame_s), int(options.max_utterance_s / frame_s) - 1),
        )

    def silence_after(self, length: int) -> int:
        """Frames of silence that end an utterance of ``length`` frames.

        ``end_silence`` up to ``patient``, then falling evenly to a third of it at the cap: a long
        utterance ends at a short pause rather than by a cut that comes seconds after its place.
        """
        waited = max(0, length - self.patient) / (self.cap - self.patient)
        return max(1, round(self.end_silence * (1 - waited * _HURRY)))
