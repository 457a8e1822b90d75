"""Whisper on real speech, on sound without speech, and on models that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decalage.audio import Samples
from decalage.config import RecognizerOptions
from decalage.errors import DecalageError, EngineError, ModelDamagedError, ModelMissingError, UsageError
from decalage.sources.file import FileSource
from decalage.speech import Rejection, Transcript, Utterance
from decalage.stages.decode import WhisperEngine
from decalage.stages.judgement import token_limit
from decalage.stages.loops import words
from decalage.stages.whisper import WhisperRecognizer
from decalage.stages.whisper_ctranslate2 import CTranslate2Whisper
from decalage.stages.whisper_onnx import OnnxWhisper
from decalage.store.models import find_recognizer
from decalage.store.quantized import find_quantized

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = (
    "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
)
PROMPT = "Xanthippe Zamenhof of Quetzaltenango."
LISTING = ", ".join(f"Street {number} of Elm County" for number in range(100))
PLAIN = RecognizerOptions()


def utterance(samples: Samples) -> Utterance:
    return Utterance("s", 0, 0, samples, len(samples) / 16_000)


def noise(seconds: float, level: float = 0.1) -> Samples:
    generator = np.random.default_rng(7)
    return (level * generator.standard_normal(round(seconds * 16_000))).astype(np.float32)


@pytest.fixture(scope="module")
def ask_not() -> Utterance:
    return utterance(np.concatenate([c.samples for c in FileSource(str(SAMPLES / "ask-not.flac"))]))


Require = Callable[[bool, str, str], None]


def found(name: str, require: Require) -> Path:
    try:
        return find_recognizer(name, offline=True)
    except DecalageError as error:
        require(False, f"model {name}", str(error))
        raise


def load(name: str, engine: str, require: Require) -> WhisperRecognizer:
    folder = found(name, require)
    return WhisperRecognizer(on_onnx(folder) if engine == "onnxruntime" else on_ctranslate2(folder), folder)


def on_ctranslate2(folder: Path, compute_type: str = "auto") -> WhisperEngine:
    return CTranslate2Whisper(folder, device="cpu", compute_type=compute_type, threads=1, concurrency=2)


def on_onnx(folder: Path) -> WhisperEngine:
    return OnnxWhisper(find_quantized(folder), threads=1)


@pytest.fixture(scope="module", params=["onnxruntime", "ctranslate2"])
def base(request: pytest.FixtureRequest, require: Require) -> WhisperRecognizer:
    return load("base", request.param, require)


@pytest.fixture(scope="module", params=["onnxruntime", "ctranslate2"])
def tiny_en(request: pytest.FixtureRequest, require: Require) -> WhisperRecognizer:
    return load("tiny.en", request.param, require)


@pytest.fixture(scope="module")
def beams(require: Require) -> WhisperRecognizer:
    return load("base", "ctranslate2", require)


@pytest.mark.real
@pytest.mark.parametrize("window", ["auto", "full"])
def test_base_hears_every_word(base: WhisperRecognizer, ask_not: Utterance, window: str) -> None:
    options = RecognizerOptions(encoder_window="full" if window == "full" else "auto")
    heard = base.recognize(ask_not, options)
    assert isinstance(heard, Transcript)
    assert " ".join(words(heard.text)) == ASK_NOT
    assert heard.language == "en"
    assert heard.decoding.calls == 1


@pytest.mark.real
def test_tiny_en_hears_the_same_speech(tiny_en: WhisperRecognizer, ask_not: Utterance) -> None:
    heard = tiny_en.recognize(ask_not, PLAIN)
    assert isinstance(heard, Transcript)
    assert "your country can do for you" in " ".join(words(heard.text))


@pytest.mark.real
def test_the_same_sound_gives_the_same_decoding_alone_and_beside_others(
    base: WhisperRecognizer, ask_not: Utterance
) -> None:
    sounds = [ask_not, utterance(ask_not.samples[:80_000]), utterance(ask_not.samples[80_000:])] * 2
    alone = [base.recognize(sound, PLAIN) for sound in sounds]
    assert alone[:3] == alone[3:]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda sound: base.recognize(sound, PLAIN), sounds)) == alone


@pytest.mark.real
def test_a_sketch_costs_less_and_is_tried_once(base: WhisperRecognizer, ask_not: Utterance) -> None:
    sketch = replace(ask_not, samples=ask_not.samples[:48_000], final=False)
    heard = base.recognize(sketch, PLAIN)
    whole = base.recognize(replace(sketch, final=True), PLAIN)
    assert heard.decoding.window_s < whole.decoding.window_s
    looping = replace(sketch, samples=np.tile(ask_not.samples[:6000], 20))
    assert base.recognize(looping, PLAIN).decoding.calls == 1


@pytest.mark.real
def test_words_are_told_with_their_times_where_asked_for(base: WhisperRecognizer, ask_not: Utterance) -> None:
    later = replace(ask_not, first=16_000)
    heard = base.recognize(later, RecognizerOptions(words=True))
    assert isinstance(heard, Transcript)
    assert " ".join(word.text for word in heard.words) == heard.text
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert later.start <= times[0] <= times[-1] <= later.end
    spoken = {word.text.strip(".,").lower(): word.start - later.start for word in heard.words}
    assert spoken["americans"] == pytest.approx(1.5, abs=0.4)  # heard in the recording
    assert spoken["not"] == pytest.approx(3.9, abs=0.6)
    plain = base.recognize(later, PLAIN)
    assert isinstance(plain, Transcript)
    assert (plain.text, plain.words) == (heard.text, ())


@pytest.mark.real
def test_digital_silence_is_rejected_without_a_decode(base: WhisperRecognizer) -> None:
    heard = base.recognize(utterance(np.zeros(48_000, np.float32)), PLAIN)
    assert isinstance(heard, Rejection)
    assert heard.reason == "no-speech"
    assert heard.decoding.calls == 0


@pytest.mark.real
@pytest.mark.parametrize("seconds", [2, 10])
@pytest.mark.parametrize("level", [0.0001, 0.01, 0.1])
def test_white_noise_is_rejected(base: WhisperRecognizer, level: float, seconds: int) -> None:
    assert isinstance(base.recognize(utterance(noise(seconds, level)), PLAIN), Rejection)


@pytest.mark.real
@pytest.mark.parametrize("level", [0.0001, 0.1])
def test_a_prompt_is_never_heard_in_noise(base: WhisperRecognizer, level: float) -> None:
    heard = base.recognize(utterance(noise(4, level)), RecognizerOptions(prompt=PROMPT))
    said = words(heard.text) if isinstance(heard, Transcript) else []
    assert not set(said) & {"xanthippe", "zamenhof", "quetzaltenango"}


@pytest.mark.real
@pytest.mark.parametrize("prompt", [PROMPT, LISTING, "   "], ids=["names", "too long", "blank"])
def test_a_prompt_leaves_what_is_said(base: WhisperRecognizer, ask_not: Utterance, prompt: str) -> None:
    heard = base.recognize(ask_not, RecognizerOptions(prompt=prompt))
    assert isinstance(heard, Transcript)
    assert "ask what you can do for your country" in " ".join(words(heard.text))


@pytest.mark.real
def test_a_prompt_that_makes_the_decoder_loop_is_dropped(base: WhisperRecognizer, ask_not: Utterance) -> None:
    heard = base.recognize(ask_not, RecognizerOptions(prompt="Americans. " * 300))
    assert isinstance(heard, Transcript)
    assert heard.decoding.calls == 2
    assert " ".join(words(heard.text)) == ASK_NOT


@pytest.mark.real
@pytest.mark.parametrize("samples", [1, 100, 1600], ids=lambda n: f"{n} samples")
def test_a_click_is_heard_without_a_crash(base: WhisperRecognizer, samples: int) -> None:
    click = np.full(samples, 0.5, np.float32)
    assert isinstance(base.recognize(utterance(click), PLAIN), Rejection)


@pytest.mark.real
def test_more_than_thirty_seconds_are_refused(base: WhisperRecognizer) -> None:
    with pytest.raises(EngineError, match=r"30\.1 s in one piece"):
        base.recognize(utterance(noise(30.1)), PLAIN)


@pytest.mark.real
def test_thirty_seconds_exactly_are_heard(base: WhisperRecognizer) -> None:
    assert base.recognize(utterance(noise(30)), PLAIN).decoding.calls >= 1


@pytest.mark.real
@pytest.mark.parametrize("seconds", [1, 6])
def test_work_is_bounded_by_the_length_of_the_sound(
    base: WhisperRecognizer, ask_not: Utterance, seconds: int
) -> None:
    assert_bounded(base, ask_not, seconds, PLAIN)


@pytest.mark.real
@pytest.mark.parametrize("seconds", [1, 6])
def test_the_work_of_a_wide_beam_is_bounded_too(
    beams: WhisperRecognizer, ask_not: Utterance, seconds: int
) -> None:
    assert_bounded(beams, ask_not, seconds, RecognizerOptions(beam=5))


def assert_bounded(
    recognizer: WhisperRecognizer, ask_not: Utterance, seconds: int, options: RecognizerOptions
) -> None:
    speech = ask_not.samples
    for samples in (noise(seconds), speech[: 16_000 * seconds], np.tile(speech[:8000], 2 * seconds)):
        decoding = recognizer.recognize(utterance(samples), options).decoding
        assert decoding.calls <= 3
        assert decoding.tokens <= 2 * token_limit(seconds, "en")


@pytest.mark.real
def test_an_english_model_refuses_another_language(tiny_en: WhisperRecognizer, ask_not: Utterance) -> None:
    with pytest.raises(UsageError, match="hears English only, not 'pt'"):
        tiny_en.recognize(ask_not, RecognizerOptions(language="pt"))


@pytest.mark.real
def test_a_language_whisper_does_not_know_is_refused(base: WhisperRecognizer, ask_not: Utterance) -> None:
    with pytest.raises(DecalageError, match="xx"):
        base.recognize(ask_not, RecognizerOptions(language="xx"))


def construct(folder: Path, compute_type: str = "auto") -> WhisperRecognizer:
    return WhisperRecognizer(on_ctranslate2(folder, compute_type), folder)


def test_a_folder_without_a_model_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=str(tmp_path)):
        construct(tmp_path)


def test_a_folder_where_nothing_was_prepared_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(ModelDamagedError, match=str(tmp_path)) as told:
        OnnxWhisper(tmp_path, threads=1)
    assert "\n" not in str(told.value)


@pytest.mark.real
def test_greedy_search_refuses_a_wide_beam_with_the_way_out(require: Require, ask_not: Utterance) -> None:
    with pytest.raises(UsageError, match="--engine ctranslate2"):
        load("tiny.en", "onnxruntime", require).recognize(ask_not, RecognizerOptions(beam=5))


@pytest.mark.real
@pytest.mark.parametrize("damaged", ["model.bin", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_refused_by_name_in_one_line(
    require: Require, tmp_path: Path, damaged: str
) -> None:
    for file in found("tiny.en", require).iterdir():
        if file.is_file():
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / damaged).unlink()
    (tmp_path / damaged).write_bytes(b"not what it was")
    with pytest.raises(ModelDamagedError, match=str(tmp_path)) as told:
        construct(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.real
def test_arithmetic_nobody_knows_is_refused(require: Require) -> None:
    with pytest.raises(UsageError, match="int3"):
        construct(found("tiny.en", require), "int3")


def test_the_bound_on_tokens_grows_with_the_sound_up_to_whispers() -> None:
    limits = [token_limit(seconds, "en") for seconds in (0.1, 1, 5, 15, 30)]
    assert limits == sorted(limits)
    assert limits[-1] == 224
