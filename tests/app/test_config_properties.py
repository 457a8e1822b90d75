"""Settings from a file, the environment and the command line: any are settings, or bad usage in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.cli import command, main
from decalage.app.commands.captioning import Outputs
from decalage.app.commands.serve import serve
from decalage.app.commands.translate import translate
from decalage.app.settings import Settings
from decalage.errors import UsageError
from tests.properties import examples

KEYS = sorted(
    name.removeprefix("--")
    for option in translate.params
    if isinstance(option, click.Option) and option.name not in ("config", "help")
    for name in option.opts
    if name.startswith("--")
)
VALUES = [
    *("5", "0.5", "-1", "nan", "inf", "true", "[]", "[1]", "[[1]]", "{a = 1}", '["pt", "es"]', '["a.srt"]'),
    *('"pt"', '"auto"', '"full"', '"x.srt"', '"5"', '"nan"', '"yes"', '""', '"\\u0000"', '"\\u2028"', '"-"'),
    *("1979-05-27", "07:32:00", "99999999999999999999", "9" * 5000, "[" * 900 + "]" * 900, "[" * 5000),
]


def parsed(tmp: Path, content: str | bytes, *arguments: str) -> Settings:
    """The settings of ``translate -`` with a file of ``content``. Raises as the command line's parser."""
    config = tmp / "config.toml"
    config.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    given = ["-", "--config", str(config), *arguments]
    context = translate.make_context("translate", given, parent=click.Context(command))
    chosen = {name: value for name, value in context.params.items() if name not in ("given", "verbose")}
    Outputs.taken(chosen)
    settings = Settings(**chosen)
    settings.stream_options()
    return settings


def refusal(tmp: Path, content: str | bytes) -> click.ClickException | UsageError | None:
    """What is wrong with it; None: it is as it should be."""
    try:
        parsed(tmp, content)
    except (click.ClickException, UsageError) as error:
        return error
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.fixture(autouse=True, scope="module")
def no_surroundings() -> Iterator[None]:
    """Nobody's environment has a say."""
    with pytest.MonkeyPatch.context() as patch:
        for key in KEYS:
            patch.delenv(f"DECALAGE_{key.replace('-', '_').upper()}", raising=False)
        yield


@examples(300)
@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=4))
def test_any_value_of_any_key_is_a_setting_or_bad_usage(folder: Path, values: dict[str, str]) -> None:
    content = "\n".join(f"{key} = {value}" for key, value in values.items())
    error = refusal(folder, content)
    if error is not None:
        assert error.exit_code == 2
        return
    settings = parsed(folder, content)
    assert type(settings.beam) is int
    assert {type(value) for value in (settings.workers, settings.threads)} <= {int, type(None)}
    assert settings.offline in (True, False)
    assert settings.duration_s is None or 0 < settings.duration_s < float("inf")
    assert "\0" not in f"{settings.prompt} {settings.model}"


@examples(100)
@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_bytes_are_settings_or_bad_usage(folder: Path, content: str | bytes) -> None:
    error = refusal(folder, content)
    assert error is None or error.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            (key, "07:32:00")
            for key in ("workers", "offline", "duration", "verbose", "trace", "prompt", "to")
        ),
        *((key, "[1]") for key in ("workers", "offline", "output", "to", "runtime")),
        *((key, "true") for key in ("workers", "end-silence", "encoder-window")),
        ("duration", "nan"),
        ("duration", '"nan"'),
        ("end-silence", '"inf"'),
        ("offline", "5"),
        ("workers", "2.5"),
        ("trace", '"\\u0000"'),
        ("terms", '"\\u0000"'),
        ("to", "[" * 5000),
        ("beam", "9" * 5000),
    ],
)
def test_what_no_option_takes_is_told_in_one_line_with_code_2(
    capsys: pytest.CaptureFixture[str], folder: Path, key: str, value: str
) -> None:
    config = folder / "one.toml"
    config.write_text(f"{key} = {value}")
    with pytest.raises(SystemExit) as stop:
        main(["translate", "nothing.wav", "--offline", "--config", str(config)])
    told = capsys.readouterr()
    assert (stop.value.code, told.out) == (2, "")
    (line,) = told.err.splitlines()
    assert "one.toml" in line or key in line


def test_what_can_be_given_several_times_may_be_a_list_or_one(folder: Path) -> None:
    config = folder / "shared.toml"
    config.write_text('allow-host = ["talks.example", "hall"]\noutput = "x.srt"\n')
    context = translate.make_context(
        "translate", ["-", "--config", str(config)], parent=click.Context(command)
    )
    assert context.params["outputs"] == ("x.srt",)
    context = serve.make_context("serve", ["--config", str(config)], parent=click.Context(command))
    assert context.params["allow_host"] == ("talks.example", "hall")


# option, field of the settings, (in the file, in the environment, on the command line), what each is
PLACES: list[tuple[str, str, tuple[str, str, str], tuple[object, object, object]]] = [
    ("beam", "beam", ("2", "3", "4"), (2, 3, 4)),
    ("to", "targets", ('"es"', "fr", "de"), (("es",), ("fr",), ("de",))),
    ("end-silence", "end_silence_s", ("0.5", "0.75", "1"), (0.5, 0.75, 1.0)),
    ("stability", "stability", ('"fast"', "reading", "fast"), ("fast", "reading", "fast")),
    ("prompt", "prompt", ('"a"', "b", "c"), ("a", "b", "c")),
    ("encoder-window", "encoder_window", ("5", "6", "full"), (5.0, 6.0, "full")),
]
DEFAULTS = Settings()


@examples(150)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=6, max_size=6))
def test_the_command_line_goes_before_the_environment_before_the_file_before_defaults(
    folder: Path, present: list[tuple[bool, bool, bool]]
) -> None:
    lines, arguments, expected = [], list[str](), {}
    with pytest.MonkeyPatch.context() as patch:
        for (key, field, said, values), where in zip(PLACES, present, strict=True):
            if where[0]:
                lines.append(f"{key} = {said[0]}")
            if where[1]:
                patch.setenv(f"DECALAGE_{key.replace('-', '_').upper()}", said[1])
            if where[2]:
                arguments += [f"--{key}", said[2]]
            chosen = [value for value, there in zip(values, where, strict=True) if there]
            expected[field] = chosen[-1] if chosen else getattr(DEFAULTS, field)
        settings = parsed(folder, "\n".join(lines), *arguments)
    assert {field: getattr(settings, field) for field in expected} == expected
