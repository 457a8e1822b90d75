"""Word error rate of the recognizer against a direct faster-whisper call with the same model.

    DECALAGE_SPEECH=DIR python -m scripts.recognition_accuracy [--language en] [--limit N] [--beams 1,5]
        [--model base]

Each gold recording up to 27 s is one utterance; the rows with "cut" go through voice activity and
segmentation as the program does it. The interval is of the difference to faster-whisper with the
same beam, paired over recordings; with zero inside it the difference is chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from faster_whisper import WhisperModel

from decalage.app.compose import make_blueprint
from decalage.app.evaluate.bootstrap import difference_interval
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, seconds
from decalage.config import UNHURRIED, EncoderWindow, Engine, RecognizerOptions, SegmenterOptions
from decalage.speech import Transcript, Utterance
from decalage.store.models import find_recognizer
from scripts.evaluation import Recording, WordErrors, gold, table

Hear = Callable[[Recording], str]


def direct(model_name: str, beam: int) -> Hear:
    """faster-whisper as it comes, without its own VAD and without timestamps."""
    model = WhisperModel(str(find_recognizer(model_name, offline=True)), compute_type="int8")

    def hear(recording: Recording) -> str:
        segments, _ = model.transcribe(
            recording.samples,
            language=recording.language,
            beam_size=beam,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        return " ".join(segment.text.strip() for segment in segments)

    return hear


def ours(
    model_name: str,
    beam: int,
    window: EncoderWindow,
    segmenter: SegmenterOptions | None,
    engine: Engine = "auto",
) -> Hear:
    """This program's recognizer, on the whole recording or on its utterances."""
    language = "en"
    settings = Settings(source=language, targets=(language,), model=model_name, beam=beam, engine=engine)
    blueprint = make_blueprint(replace(settings, threads=2, workers=1))
    recognizer = blueprint.recognizer(1)

    def hear(recording: Recording) -> str:
        options = RecognizerOptions(language=recording.language, beam=beam, encoder_window=window)
        whole = [Utterance("s", 0, 0, recording.samples, seconds(len(recording.samples)))]
        if segmenter is not None:
            cutter = blueprint.segmenter("s", segmenter)
            cut = [*cutter.feed(AudioChunk(0, recording.samples)), *cutter.finish()]
            whole = [segment for segment in cut if isinstance(segment, Utterance)]
        heard = [recognizer.recognize(utterance, options) for utterance in whole]
        return " ".join(outcome.text for outcome in heard if isinstance(outcome, Transcript))

    return hear


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--language", default="en", choices=["en", "pt-BR"])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--beams", default="1,5", help="rows to measure, by beam")
    parser.add_argument("--model", default="base")
    given = parser.parse_args()
    recordings = gold(given.language, given.limit)
    default = SegmenterOptions()
    plan: list[tuple[str, int, Callable[[], Hear]]] = [
        ("faster-whisper, beam 1", 1, lambda: direct(given.model, 1)),
        ("faster-whisper, beam 5", 5, lambda: direct(given.model, 5)),
        ("whole, full window, beam 1", 1, lambda: ours(given.model, 1, "full", None)),
        ("whole, full window, beam 5", 5, lambda: ours(given.model, 5, "full", None)),
        ("whole, fitted window, beam 1", 1, lambda: ours(given.model, 1, "auto", None)),
        (
            "the same on CTranslate2",
            1,
            lambda: ours(given.model, 1, "auto", None, "ctranslate2"),
        ),
        ("whole, fitted window, beam 5", 5, lambda: ours(given.model, 5, "auto", None)),
        ("cut as when live, beam 1", 1, lambda: ours(given.model, 1, "auto", default)),
        ("cut as when live, beam 5", 5, lambda: ours(given.model, 5, "auto", default)),
        ("cut as at full speed, beam 1", 1, lambda: ours(given.model, 1, "auto", UNHURRIED)),
        ("cut as at full speed, beam 5", 5, lambda: ours(given.model, 5, "auto", UNHURRIED)),
    ]
    baselines: dict[int, WordErrors] = {}
    lines = []
    for name, beam, make in plan:
        if str(beam) not in given.beams.split(","):
            continue
        hear, errors = make(), WordErrors(given.language[:2])
        for recording in recordings:
            errors.add(recording.transcript, hear(recording))
        base = baselines.setdefault(beam, errors)
        interval = None if base is errors else difference_interval(base.counted, errors.counted)
        told = "–" if interval is None else "{:+.2f} … {:+.2f}".format(*interval)
        lines.append((name, errors.rate, sum(errors.words), told))
    print(f"{len(recordings)} recordings, {given.language}\n")
    print(table(("", "WER %", "words", "95 % of the difference"), lines))


if __name__ == "__main__":
    main()
