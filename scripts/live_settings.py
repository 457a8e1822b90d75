"""What the settings of a live stream cost and buy, without waiting: cuts, pauses, partial captions.

    DECALAGE_SPEECH=DIR python -m scripts.live_settings [--limit N]

Sound runs through voice activity and segmentation on a clock of its own; a recognition answers
``ANSWER_S`` of sound after it was asked for. So the figures do not depend on the machine, and none
of them is a lag: ``wait`` is from the end of the speech to the end of the utterance. Every gold
English recording counts, long ones too; the third that no setting was chosen on stands apart.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from decalage.app.compose import make_blueprint
from decalage.app.evaluate.manifest import held_out
from decalage.app.settings import Settings
from decalage.app.tally import spread
from decalage.audio import AudioChunk, Samples, seconds
from decalage.config import RecognizerOptions, SegmenterOptions, Stability
from decalage.flow.stability import GrowingText, agreement
from decalage.speech import Transcript, Utterance
from scripts.evaluation import WordErrors, gold, speech_folder, table

ANSWER_S = 0.2
_STEP = 512
_LIVE = Settings(pace="realtime").segmenter_options()
_PAUSES = replace(_LIVE, clauses=False)

CUTS: dict[str, SegmenterOptions] = {
    "0.5 s, whatever the text says": replace(_PAUSES, finished_silence_s=None, open_silence_s=None),
    "0.45 s after a sentence, 0.7 s inside one": _PAUSES,
    "0.35 s after a sentence": replace(_PAUSES, finished_silence_s=0.35),
    "0.4 s after a sentence, 1.0 s inside one": replace(_PAUSES, finished_silence_s=0.4, open_silence_s=1.0),
    "0.6 s, whatever the text says": replace(
        _PAUSES, end_silence_s=0.6, finished_silence_s=None, open_silence_s=None
    ),
    "post-roll and pause 0.3 s": replace(_PAUSES, post_roll_s=0.3, pause_s=0.3),
    "patient to 8 s": replace(_PAUSES, patient_s=8.0),
    "longest 12 s": replace(_PAUSES, max_utterance_s=12.0),
    "default: that, or at a pause that what follows shows to end a sentence": _LIVE,
}
STABILITIES: tuple[Stability, ...] = ("fast", "balanced", "reading")


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance, provisional or final, what it says, and when it was given out (seconds)."""

    utterance: Utterance
    text: str
    at: float


class Ears:
    """Real models; what was recognized once is remembered by its samples."""

    def __init__(self) -> None:
        blueprint = make_blueprint(Settings(workers=1, threads=2))
        self._recognizer = blueprint.recognizer(1)
        self._translator = blueprint.translator()
        self._segmenter = blueprint.segmenter
        self._texts: dict[str, str] = {}
        self.looped = 0
        """Recognitions in which a decode had to be done again."""
        self._translations: dict[str, str] = {}

    def hear(self, utterance: Utterance) -> str:
        key = sha256(utterance.samples.tobytes()).hexdigest()
        if key not in self._texts:
            outcome = self._recognizer.recognize(utterance, RecognizerOptions())
            self.looped += outcome.decoding.calls > 1
            self._texts[key] = outcome.text if isinstance(outcome, Transcript) else ""
        return self._texts[key]

    @property
    def recognized(self) -> int:
        """Recognitions so far."""
        return len(self._texts)

    def translate(self, text: str) -> str:
        if text not in self._translations:
            said = self._translator.translate(text, source="en", target="pt").text if text else ""
            self._translations[text] = said
        return self._translations[text]

    def stream(self, samples: Samples, options: SegmenterOptions) -> Iterator[Heard]:
        """Every utterance of one recording, as a live stream would have it."""
        segmenter = self._segmenter("s", options)
        answers: list[tuple[float, Utterance, str]] = []
        for first in range(0, len(samples), _STEP):
            chunk = AudioChunk(first, samples[first : first + _STEP])
            while answers and answers[0][0] <= chunk.end:
                _, asked, text = answers.pop(0)
                segmenter.hint(asked.index, asked.revision, Transcript(text, "en"))
            for segment in segmenter.feed(chunk):
                assert isinstance(segment, Utterance)  # noqa: S101 - no sound is missing
                text = self.hear(segment)
                yield Heard(segment, text, chunk.end)
                if text and not segment.final:
                    answers.append((chunk.end + ANSWER_S, segment, text))
        for segment in segmenter.finish():
            assert isinstance(segment, Utterance)  # noqa: S101
            yield Heard(segment, self.hear(segment), seconds(len(samples)))


Recordings = Sequence[tuple[str, Samples]]


def finals_only(options: SegmenterOptions) -> SegmenterOptions:
    """Without sketches, unless they tell where an utterance ends."""
    return options if options.clauses else replace(options, revise_s=None)


def cut_row(ears: Ears, recordings: Recordings, options: SegmenterOptions) -> list[object]:
    """Word error rate, utterances, their mean length, and the wait for their end."""
    errors, waits, lengths = WordErrors("en"), [], []
    for transcript, samples in recordings:
        finals = [h for h in ears.stream(samples, finals_only(options)) if h.utterance.final]
        errors.add(transcript, " ".join(heard.text for heard in finals))
        lengths += [heard.utterance.duration for heard in finals]
        waits += [heard.at - heard.utterance.speech_end for heard in finals[:-1]]
    wait = spread(waits)
    waited = ["–"] * 3 if wait is None else [wait.p50, wait.p95, wait.max]
    return [errors.rate, sum(errors.words), len(lengths), float(np.mean(lengths)), *waited]


def partial_row(ears: Ears, recordings: Recordings, stability: Stability) -> list[object]:
    """Normalized erasure of the translation, when its first words stand, partials a minute."""
    erased = shown_words = partials = 0
    delays = []
    for _, samples in recordings:
        options = Settings(pace="realtime", stability=stability).segmenter_options()
        growing, before, began = GrowingText(stability), list[str](), 0.0
        first: float | None = None
        for heard in ears.stream(samples, options):
            text = ears.translate(heard.text)
            final = heard.utterance.final
            words = (growing.settle(text) if final else growing.grow(text).text).split()
            erased += len(before) - agreement(before, words)
            began = began or heard.at - (options.revise_s or 0)
            first = first or (heard.at + ANSWER_S if words else None)
            before, partials = words, partials + (not final)
            if final:
                shown_words += len(words)
                delays += [] if first is None else [first - began]
                growing, before, began, first = GrowingText(stability), [], 0.0, None
    minutes = sum(seconds(len(samples)) for _, samples in recordings) / 60
    return [erased / shown_words, float(np.median(delays)), partials / minutes]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    folder, ears = speech_folder(), Ears()
    sets: dict[str, list[tuple[str, Samples]]] = {"tuning": [], "held out": []}
    for each in gold("en", given.limit, longest_s=math.inf):
        kept = held_out(each.path.relative_to(folder).as_posix())
        sets["held out" if kept else "tuning"].append((each.transcript, each.samples))
    for name, recordings in sets.items():
        print(f"\nEnd of an utterance, {name}: {len(recordings)} recordings\n")
        lines = [[title, *cut_row(ears, recordings, options)] for title, options in CUTS.items()]
        head = ("", "WER %", "words", "utterances", "mean s", "wait p50", "p95", "max")
        print(table(head, lines), flush=True)
    for name, recordings in sets.items():
        print(f"\nPartial captions, {name}: {len(recordings)} recordings\n")
        lines = [[each, *partial_row(ears, recordings, each)] for each in STABILITIES]
        print(table(("", "erasure", "first words s", "partials a minute"), lines), flush=True)
    print(f"\n{ears.looped} of {ears.recognized} recognitions had a decode that repeated itself")


if __name__ == "__main__":
    main()
