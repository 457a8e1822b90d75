"""Command-line options that several commands share, with where else each can be set."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
import platformdirs

from decalage.config import EncoderWindow


class EncoderWindowType(click.ParamType[EncoderWindow]):
    """``auto``, ``full`` or seconds up to 30."""

    name = "auto|full|S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> EncoderWindow:
        if value in ("auto", "full"):
            return str(value)  # type: ignore[return-value]
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is neither auto, full nor a number of seconds", param, ctx)
        if not 1 <= seconds <= 30:
            self.fail(f"{value} is not between 1 and 30 seconds", param, ctx)
        return seconds


class LanguagesType(click.ParamType[tuple[str, ...]]):
    """Comma-separated language codes."""

    name = "LANG[,LANG…]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            self.fail(f"{value!r} is not a list of language codes such as pt,es", param, ctx)
        return tuple(item.strip() for item in items if item.strip())


def default_config() -> Path:
    """The configuration file read when no other is named."""
    return Path(platformdirs.user_config_dir("decalage")) / "config.toml"


def load_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the file's values the defaults of the command's options.

    Keys are option names without dashes in front (``to = "pt"``, ``end-silence = 0.4``); an
    unknown key, or a file that is not TOML, is bad usage.
    """
    chosen = path or default_config()
    if path is None and not chosen.is_file():
        return
    try:
        given = tomllib.loads(chosen.read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(f"cannot read {chosen}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{chosen} is not TOML: {error}") from error
    names = {
        name.lstrip("-"): parameter.name
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and parameter.name != "config"
        for name in parameter.opts
        if name.startswith("--")
    }
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise click.BadParameter(
            f"{chosen}: unknown key {unknown[0]!r}; known are {', '.join(sorted(names))}"
        )
    context.default_map = {**(context.default_map or {}), **{names[k]: v for k, v in given.items()}}
