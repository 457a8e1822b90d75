"""Other languages than English to Portuguese: ways there, several targets, several speakers.

    DECALAGE_SPEECH=DIR python -m scripts.tongues

Portuguese speech to English, by the translation model and by Whisper itself; English to one target and to two
in one pass, where the second, for want of another model, is Portuguese again under Galician's name; and the
dialogue in two languages with ``--from auto``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from decalage import Caption, Interpreter, Settings
from decalage.app.compose import make_blueprint, make_runtime, open_source, stream_options
from decalage.app.evaluate.translations import score
from decalage.audio import SAMPLE_RATE
from decalage.config import RecognizerOptions
from decalage.speech import Transcript, Utterance
from scripts.evaluation import WordErrors, decode, joined, rows, speech_folder, table


def captions(recordings: Sequence[dict[str, Any]], settings: Settings) -> list[list[Caption]]:
    """Each recording through one program."""
    with Interpreter(settings=replace(settings, offline=True)) as interpreter:
        return [list(interpreter.translate(speech_folder() / row["path"])) for row in recordings]


def several(recordings: Sequence[dict[str, Any]], targets: tuple[str, ...]) -> list[list[Caption]]:
    """Each recording into ``targets``, all by the English to Portuguese model."""
    settings = Settings(source="en", targets=("pt",), offline=True)
    blueprint = make_blueprint(settings)
    (model,) = blueprint.directions.values()
    blueprint = replace(blueprint, directions={("en", target): model for target in targets})
    settings = replace(settings, targets=targets)
    runtime = make_runtime(settings, blueprint)
    try:
        found = []
        for row in recordings:
            source = open_source(str(speech_folder() / row["path"]), settings)
            events = list(runtime.run(source, stream_options(settings, blueprint)))
            found.append([event for event in events if isinstance(event, Caption)])
        return found
    finally:
        runtime.close()


def whispers_english(recordings: Sequence[dict[str, Any]]) -> list[str]:
    """What the recognizer makes of Portuguese speech in English, without a translation model."""
    recognizer = make_blueprint(Settings(source="pt", targets=("en",), offline=True)).recognizer(1)
    told = []
    for row in recordings:
        samples = decode(speech_folder() / row["path"])
        heard = recognizer.recognize(
            Utterance("", 0, 0, samples, len(samples) / SAMPLE_RATE),
            RecognizerOptions(language="pt", english=True),
        )
        told.append((heard.english or "") if isinstance(heard, Transcript) else "")
    return told


def main() -> None:
    gold = [row for row in rows() if row["path"].startswith("audio/") and row["transcript_quality"] == "gold"]
    portuguese = [row for row in gold if row["language"] == "pt-BR" and row["translation"]]
    english = [row for row in gold if row["language"] == "en" and row["translation"]]
    found = captions(portuguese, Settings(source="pt", targets=("en",)))
    errors = WordErrors("pt")
    for row, each in zip(portuguese, found, strict=True):
        errors.add(row["transcript"], joined(each, "pt"))
    references = [row["translation"] for row in portuguese]
    print(f"Portuguese to English, {len(portuguese)} recordings, WER {errors.rate:.1f} %\n")
    ways = (
        ("Firefox's model", [joined(each, "en") for each in found]),
        ("Whisper itself", whispers_english(portuguese)),
    )
    print(table(("way", "chrF"), [(way, _chrf(texts, references)) for way, texts in ways], 1))
    references = [row["translation"] for row in english]
    print(f"\nEnglish to one target and to two, {len(english)} recordings\n")
    lines = []
    for targets in (("pt",), ("pt", "gl")):
        made = several(english, targets)
        scores = [_chrf([joined(each, target) for each in made], references) for target in targets]
        lines.append((", ".join(targets), *scores, *["–"] * (2 - len(scores))))
    print(table(("targets", "chrF of the first", "of the second"), lines, 1))
    (dialogue,) = [row for row in gold if row["language"] == "mixed"]
    (spoken,) = captions([dialogue], Settings(source="auto", targets=("en", "pt")))
    print("\nThe dialogue, `--from auto --to en,pt`\n")
    print(
        table(
            ("from", "to", "spoken", "en", "pt"),
            [
                (f"{each.start:.1f}", f"{each.end:.1f}", each.source, each.text["en"], each.text["pt"])
                for each in spoken
            ],
        )
    )
    print(f"\nsaid: {dialogue['transcript']}")


def _chrf(texts: Sequence[str], references: Sequence[str]) -> float:
    scored = score("chrf", texts, references)
    if scored is None:
        raise SystemExit("no recording has a translation")
    return scored.value


if __name__ == "__main__":
    main()
