"""Measuring, asking again, saving, and the command as a whole."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest

from decalage.app.advise.consult import consult
from decalage.app.advise.probe import SPEECH, Job, measure
from decalage.app.advise.report import as_json, print_advice
from decalage.app.advise.rule import advise
from decalage.app.advise.save import save
from decalage.app.advise.shape import Shape
from decalage.app.advise.values import Probe, Question, Timing
from decalage.app.cli import main
from decalage.app.machine import Machine
from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions
from decalage.errors import InputError, OutputError, UsageError
from decalage.sources.file import FileSource
from decalage.testing.clock import ManualClock
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, silence, speech

GB = 1_000_000_000
MACHINE = Machine(cores=2, free_bytes=4 * GB, total_bytes=8 * GB, features=("avx2",))
BASE, TINY = 145_217_532, 75_537_502


class Sound:
    """A source of one chunk."""

    name = "sound"
    duration_s: float | None = None

    def __init__(self, chunk: AudioChunk) -> None:
        self.chunk = chunk

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield self.chunk

    def stop(self) -> None:
        """It has ended."""


def job(blueprint: FakeBlueprint) -> Job:
    return Job(
        model="base",
        make=lambda _threads: blueprint,
        directions=[("en", "pt"), ("en", "es")],
        options=RecognizerOptions(),
    )


def asking(local: dict[str, int]) -> Question:
    return Question(local=local)


def fixed(model: str, service_s: float, shapes: Sequence[Shape] = (Shape(2, 1),)) -> Probe:
    """Every shape takes as long for an utterance."""
    timings = tuple(Timing(shape, service_s, service_s, shape.workers / service_s) for shape in shapes)
    return Probe(model, 4.0, 0.01, timings)


def test_each_shape_is_loaded_once_and_timed_by_the_clock() -> None:
    clock = ManualClock()
    blueprint = FakeBlueprint(FakeRecognizer(work=lambda _word: clock.advance(0.5)))
    sound = Sound(speech([1, 2], 2.0))
    probe = measure(job(blueprint), [Shape(1, 2), Shape(1, 4)], sound, clock)
    assert blueprint.loads == [1, 1]
    assert probe.utterance_s == pytest.approx(2.0)
    assert [timing.alone_s for timing in probe.timings] == pytest.approx([0.5, 0.5])
    assert [timing.per_s for timing in probe.timings] == pytest.approx([2.0, 2.0])
    assert {call.partition(" ")[0] for call in blueprint.fake_translator.calls} == {"word"}


def test_all_workers_are_busy_at_once() -> None:
    blueprint = FakeBlueprint()
    measure(job(blueprint), [Shape(3, 1)], Sound(speech([1, 2], 2.0)))
    assert blueprint.loads == [3]
    assert len(blueprint.fake_recognizer.calls) >= 1 + 2 + 3 * 2


def test_sound_without_speech_is_refused() -> None:
    with pytest.raises(InputError, match="no speech in the first minute of sound"):
        measure(job(FakeBlueprint()), [Shape(1, 1)], Sound(AudioChunk(0, silence(2.0))))


def test_the_speech_that_comes_along_is_eleven_seconds() -> None:
    assert sum(chunk.duration for chunk in FileSource(str(SPEECH))) == pytest.approx(11, abs=0.2)


def test_a_model_advised_by_estimate_is_measured_when_it_is_here() -> None:
    measured = []

    def look(model: str, shapes: Sequence[Shape]) -> Probe:
        measured.append((model, list(shapes)))
        return fixed(model, {"base": 0.1, "small": 3.9}[model], shapes)

    advice, probes = consult(asking({"base": BASE, "small": 484_000_000}), MACHINE, look)
    assert [model for model, _ in measured] == ["base", "small"]
    assert measured[0][1] == [Shape(2, 1), Shape(1, 2)]
    assert advice.model == "base"
    assert [probe.model for probe in probes] == ["base", "small"]


def test_a_model_without_room_is_never_loaded() -> None:
    measured = []

    def look(model: str, shapes: Sequence[Shape]) -> Probe:
        measured.append((model, list(shapes)))
        return fixed(model, 0.1, shapes)

    tight = Machine(cores=2, free_bytes=440_000_000, total_bytes=GB)
    advice, _ = consult(asking({"base": BASE, "tiny.en": TINY}), tight, look)
    assert [model for model, _ in measured] == ["tiny.en"]
    assert advice.model == "tiny.en"


def test_the_report_fits_80_columns_and_names_the_settings() -> None:
    probe = fixed("base", 0.1)
    advice = advise(asking({"base": BASE}), MACHINE, {"base": probe})
    out = StringIO()
    print_advice(advice, MACHINE, [probe], out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("--runtime pipeline --workers 2 --threads 1 --beam 1 --model small")
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out.getvalue()
    assert "decalage models add small" in out.getvalue()
    told = json.loads(as_json(advice, MACHINE, [probe], None))
    assert told["workers"] == 2
    assert told["machine"]["cores"] == 2
    assert {"name", "value", "unit", "measured"} == set(told["figures"][0])


def test_a_busy_machine_is_told() -> None:
    probe = fixed("base", 0.1)
    crowded = Machine(cores=2, free_bytes=4 * GB, total_bytes=8 * GB, at_work=3.0)
    out = StringIO()
    print_advice(advise(asking({"base": BASE}), crowded, {"base": probe}), crowded, [probe], out)
    assert "load average 3.0" in out.getvalue()


def test_saving_keeps_other_keys_and_comments_and_changes_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('# mine\nto = "pt,es" # two\nworkers = 7\n')
    settings: dict[str, str | int] = {"runtime": "pipeline", "workers": 2, "beam": 1}
    assert save(path, settings)
    text = path.read_text()
    assert text.startswith('# mine\nto = "pt,es" # two\nworkers = 2\n')
    assert tomllib.loads(text) == {"to": "pt,es", "workers": 2, "runtime": "pipeline", "beam": 1}
    assert not save(path, settings)
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_saving_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert save(path, {"workers": 2})
    assert tomllib.loads(path.read_text()) == {"workers": 2}
    assert path.read_text().startswith("# ")


def test_a_file_that_is_not_toml_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("workers = = 2\n")
    with pytest.raises(UsageError, match="is not TOML and was left as it is"):
        save(path, {"workers": 2})
    assert path.read_text() == "workers = = 2\n"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save(tmp_path / "file" / "config.toml", {"workers": 2})


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1, told.err
    return stop.value.code, told.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--goal", "glory"], 2, "'many-speakers'"),
        (["--model", "huge"], 2, "no model 'huge'"),
        (["--model", "small", "--offline"], 3, "decalage models add small"),
        (["--to", "xx"], 2, "supported"),
        (["--from", "pt", "--to", "en", "--model", "tiny.en"], 2, "hears en"),
        (["--audio", "nothing.wav"], 2, "does not exist"),
        (["--config", "nowhere.toml"], 2, "nowhere.toml"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_its_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    got, line = refused(capsys, "advise", *arguments)
    assert got == code
    assert words in line


def test_one_configuration_file_serves_every_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('runtime = "pipeline"\nend-silence = 0.4\ngoal = "memory"\nmodel = "huge"\n')
    for arguments in (["advise"], ["translate", str(SPEECH)]):
        assert "no model 'huge'" in refused(capsys, *arguments, "--config", str(path))[1]
    path.write_text("colour = 1\n")
    for arguments in (["advise"], ["translate", str(SPEECH)]):
        assert "unknown key 'colour'" in refused(capsys, *arguments, "--config", str(path))[1]


@pytest.mark.real
def test_the_real_models_are_measured_and_the_answer_saved(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(SystemExit) as stop:
        main(["advise", "--goal", "throughput", "--offline", "--json", "--write", "--config", str(path)])
    assert stop.value.code == 0
    told = json.loads(capsys.readouterr().out)
    saved = tomllib.loads(path.read_text())
    assert saved == {key: told[key] for key in ("runtime", "workers", "threads", "beam", "model")}
    assert told["runtime"] == "pipeline"
    assert told["model"] == "base"
    measured = told["probes"][0]
    assert 1 < measured["utterance_s"] < 15
    assert all(timing["per_s"] > 0 for timing in measured["timings"])
    assert {"processes", "pool", "sequential", "asyncio"} <= {each["what"] for each in told["refused"]}
