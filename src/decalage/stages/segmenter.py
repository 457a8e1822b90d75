"""Cuts a stream into utterances: a pure state machine over (frame, speech probability).

::

                 voiced frame                    min_speech_s in one run
       ┌─────────┐ ────────▶ ┌──────────────┐ ────────────────────────▶ ┌────────┐ ──┐ max_utterance_s:
       │ silence │           │ burst        │                           │ speech │   │ cut at the
       └─────────┘ ◀──────── └──────────────┘                           └────────┘ ◀─┘ quietest frame
            ▲     silent frame: non-speech                                  │
            └───────────────────────────────────────────────────────────────┘
        end_silence_s (less after patient_s), a sentence told by hint(), miss(), finish(): utterance

Frames are counted from the start of the stream, or from the end of missing sound, however the sound
was chunked, so the segments depend on the samples alone, and on what ``hint`` tells of them. All sound
not yet decided on stands in ``_held``: in silence that is the pre-roll, in speech the utterance so far;
a frame leaves it once, for an utterance or as non-speech. That is the exact partition.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

import numpy as np

from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.config import SegmenterOptions
from decalage.contracts import VoiceActivityDetector
from decalage.errors import StreamFinishedError
from decalage.speech import Activity, Cut, Ending, MissingSound, Transcript, Utterance
from decalage.stages.clauses import Clauses
from decalage.stages.endings import ending
from decalage.stages.frames import Frame, joined, quietest
from decalage.stages.lengths import Lengths
from decalage.stages.tally import SegmenterStatistics

_CUT_FROM = 0.8
"""A cut at the hard cap falls in the last fifth of the utterance: who waits for it waits 3 s at most."""


class VadSegmenter:
    """Utterances of one stream by voice activity; implements ``contracts.Segmenter``.

    Memory holds one utterance at most, in silence the pre-roll. Not safe for threads.
    """

    def __init__(
        self, stream: str, detector: VoiceActivityDetector, options: SegmenterOptions | None = None
    ) -> None:
        self._stream = stream
        self._detector = detector
        self._options = options or SegmenterOptions()
        self._lengths = Lengths.of(self._options, detector.frame_samples)
        self._partial: Samples = np.zeros(detector.frame_samples, dtype=np.float32)
        self._filled = 0
        self._position = 0  # number of the next sample
        self._held: deque[Frame] = deque()  # bounded by the cap
        self._held_first = 0
        self._index = 0
        self._begin()
        self._quiet()
        self._finished = False
        self._samples_in = self._in_utterances = self._non_speech = self._missed = self._uncaptured = 0
        self._held_peak = self._utterances = self._cuts = 0

    def _begin(self) -> None:
        """Nothing is known yet of the next utterance."""
        self._revision = 0  # of its next provisional utterance
        self._clauses = Clauses(self._lengths.soon)
        self._sentence: int | None = None  # held frames that are a whole sentence, as the text told
        self._planned = 0  # held frames up to where the hard cap will cut, once it is near

    def _quiet(self) -> None:
        """The silence state."""
        self._voiced = False  # the last frame was speech
        self._run = 0  # samples in the run of voiced frames that is on
        self._spoken = 0  # held frames up to and with the last voiced one; 0 in silence
        self._confirmed = False  # a run was long enough to be speech
        self._ending: Ending = "unclear"  # of the text up to the pause that is on
        self._revised = 0  # held frames when the last provisional utterance was given out

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        """The segments completed by ``chunk``, of any length.

        Raises ``ValueError`` for a hole or an overlap (tell a hole with ``miss``) and
        ``StreamFinishedError`` after ``finish``.
        """
        self._expect(chunk.first)
        segments: list[Cut] = []
        self._samples_in += len(chunk.samples)
        taken = 0
        while taken < len(chunk.samples):
            size = min(len(self._partial) - self._filled, len(chunk.samples) - taken)
            self._partial[self._filled : self._filled + size] = chunk.samples[taken : taken + size]
            self._filled += size
            self._position += size
            taken += size
            if self._filled == len(self._partial):
                segments += self._advance()
        return segments

    def flush(self) -> list[Cut]:
        """What is open, if it was speech, without waiting for silence; the next frame begins here."""
        self._expect(self._position)
        return self._end()

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        """Close what is open; a ``MissingSound``; the next frame begins where sound comes back.

        ``captured`` sound was dropped here (cause ``overload``), other sound never came (``device``).
        Raises ``ValueError`` unless ``first`` is the next sample and ``length`` positive.
        """
        self._expect(first)
        if length <= 0:
            raise ValueError(f"missing sound of {length} samples")
        segments = self._end()
        segments.append(
            MissingSound(
                stream=self._stream,
                index=self._next_index(),
                first=first,
                length=length,
                cause="overload" if captured else "device",
                captured=captured,
            )
        )
        self._position += length
        self._held_first = self._position
        if captured:
            self._samples_in += length
            self._missed += length
        else:
            self._uncaptured += length
        return segments

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        """How long to wait for the end now that the text is known, or at which pause it has been."""
        if index != self._index:
            return
        if revision == self._revision - 1 and self._silence and revision in self._clauses.pauses:
            self._ending = ending(transcript.text, transcript.language)
        if self._options.clauses:
            self._sentence = self._sentence or self._clauses.heard(revision, transcript, len(self._held))

    def finish(self) -> list[Cut]:
        """What was open, if it was speech, without waiting for silence. Idempotent."""
        segments = [] if self._finished else self._end()
        self._finished = True
        return segments

    def statistics(self) -> SegmenterStatistics:
        """Where the samples went so far."""
        held = self._position - self._held_first
        return SegmenterStatistics(
            samples_in=self._samples_in,
            in_utterances=self._in_utterances,
            non_speech=self._non_speech,
            missed=self._missed,
            held=held,
            held_peak=self._held_peak,
            uncaptured=self._uncaptured,
            utterances=self._utterances,
            cuts=self._cuts,
        )

    def _expect(self, first: int) -> None:
        if self._finished:
            raise StreamFinishedError(f"stream {self._stream} is finished: open another stream")
        if first != self._position:
            raise ValueError(
                f"stream {self._stream}: sound at sample {first}, where {self._position} is the next"
            )

    def _advance(self) -> list[Cut]:
        """Judge the frame in ``_partial``, padded with silence for the detector if it is short."""
        self._held_peak = max(self._held_peak, self._position - self._held_first)
        self._partial[self._filled :] = 0
        probability = self._detector.probability(self._partial)
        limit = self._options.release if self._voiced else self._options.threshold
        self._voiced = probability >= limit
        self._held.append(Frame(self._partial[: self._filled].copy(), probability, self._voiced))
        self._filled = 0
        if self._voiced:
            if not self._spoken:
                self._revised = len(self._held) - 1  # what was held before is no speech
            self._run += len(self._held[-1].samples)
            self._spoken = len(self._held)
            self._ending = "unclear"
            if not self._confirmed and self._run >= self._lengths.min_speech:
                self._confirmed = True
                return [*self._told(speaking=True, at=self._position - self._run), *self._decide()]
        else:
            self._run = 0
        return self._decide()

    def _told(self, *, speaking: bool, at: int) -> list[Cut]:
        """That speech began or ended at sample ``at``, where it is to be told."""
        return [Activity(speaking, seconds(at))] if self._options.activity else []

    def _decide(self) -> list[Cut]:
        """What the last frame brings to an end, if anything."""
        length = len(self._held)
        if not self._voiced and not self._confirmed:
            self._quiet()  # silence, or a burst too short for speech
            self._forget(length - self._lengths.pre_roll)
            return []
        if length == self._lengths.plan:
            self._planned = quietest(list(self._held), int(_CUT_FROM * self._lengths.cap)) + 1
        if self._silence >= self._lengths.silence_after(length, self._ending):
            return self._close()
        if self._sentence is not None or length >= self._lengths.cap:
            return self._cut(self._sentence or self._planned)
        return self._foresee()

    def _foresee(self) -> list[Cut]:
        """A provisional utterance, if it is time for one."""
        if self._lengths.pause is not None and self._confirmed:
            if self._silence == self._lengths.pause:
                count = self._spoken + self._lengths.post_roll
                self._clauses.paused(self._revision, count)
                return [self._revise(count, paused=True)]
            if len(self._held) == self._lengths.plan:
                return [self._revise(self._planned, paused=True)]
        return [self._revise(len(self._held))] if self._due else []

    @property
    def _silence(self) -> int:
        """Frames since the last voiced one."""
        return len(self._held) - self._spoken

    @property
    def _due(self) -> bool:
        """Whether enough was said since the last provisional utterance."""
        return self._confirmed and self._voiced and self._lengths.due(self._spoken, self._revised)

    def _revise(self, count: int, *, paused: bool = False) -> Utterance:
        """What the next utterance would be if it ended after ``count`` held frames; they stay held."""
        self._revised = len(self._held)
        self._revision += 1
        frames = list(islice(self._held, count))
        return self._utterance(frames, revision=self._revision - 1, final=False, paused=paused)

    def _close(self) -> list[Cut]:
        """The utterance that silence or the end of sound has ended; back to silence."""
        return self._ended(self._take(min(len(self._held), self._spoken + self._lengths.post_roll)))

    def _ended(self, utterance: Utterance) -> list[Cut]:
        self._quiet()
        self._forget(len(self._held) - self._lengths.pre_roll)
        return [utterance, *self._told(speaking=False, at=sample_count(utterance.speech_end))]

    def _cut(self, count: int) -> list[Cut]:
        """The first ``count`` frames of the utterance; the rest is the next one's."""
        utterance = self._take(count)
        self._cuts += 1
        self._spoken = max((n for n, frame in enumerate(self._held, 1) if frame.voiced), default=0)
        return [utterance] if self._spoken else self._ended(utterance)

    def _end(self) -> list[Cut]:
        """No sound follows here: settle all that is held."""
        advanced = self._advance() if self._filled else []
        segments: list[Cut] = [cut for cut in advanced if not isinstance(cut, Utterance) or cut.final]
        if self._confirmed:
            segments += self._close()
        self._quiet()
        self._forget(len(self._held))
        return segments

    def _take(self, count: int) -> Utterance:
        """The next utterance: the first ``count`` held frames, which hold speech."""
        frames = [self._held.popleft() for _ in range(count)]
        utterance = self._utterance(frames, revision=self._revision)
        self._next_index()
        self._held_first += len(utterance.samples)
        self._in_utterances += len(utterance.samples)
        self._utterances += 1
        self._revised = 0
        return utterance

    def _utterance(
        self, frames: list[Frame], *, revision: int, final: bool = True, paused: bool = False
    ) -> Utterance:
        """``frames``, the first of those held or just taken from there, as the next utterance."""
        samples, spoken = joined(frames)
        end = seconds(self._held_first + spoken)
        place = (self._stream, self._index, self._held_first)
        return Utterance(*place, samples, end, revision, final, paused)

    def _forget(self, count: int) -> None:
        """Let the first ``count`` held frames go as non-speech, none for a negative count."""
        for _ in range(count):
            length = len(self._held.popleft().samples)
            self._held_first += length
            self._non_speech += length

    def _next_index(self) -> int:
        index = self._index
        self._index += 1
        self._begin()
        return index
