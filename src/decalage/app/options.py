"""Command-line options that several commands share, with where else each can be set."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

import click
import platformdirs

from decalage.app.terms import read_terms
from decalage.config import EncoderWindow, Term
from decalage.errors import brief


class EncoderWindowType(click.ParamType[EncoderWindow]):
    """``auto``, ``full`` or seconds up to 30."""

    name = "auto|full|S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> EncoderWindow:
        if value in ("auto", "full"):
            return str(value)  # type: ignore[return-value]
        try:
            seconds = float("nan" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is neither auto, full nor a number of seconds", param, ctx)
        if not 1 <= seconds <= 30:
            self.fail(f"{value} is not between 1 and 30 seconds", param, ctx)
        return seconds


class SecondsType(click.FloatRange):
    """Seconds within bounds; ``nan`` is within none, though it compares as if it were."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
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


class TermsType(click.ParamType[tuple[Term, ...]]):
    """A file of names and terms."""

    name = "FILE"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[Term, ...]:
        if isinstance(value, tuple):
            return value
        if not isinstance(value, str | Path):
            self.fail(f"{value!r} is not the name of a file", param, ctx)
        return read_terms(Path(value))


class NamesType(click.ParamType[tuple[str, ...]]):
    """Comma-separated names out of a known list."""

    def __init__(self, known: Sequence[str]) -> None:
        self.name = "NAME[,NAME…]"
        self._known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = _items(value)
        for name in names or ("",):
            if name not in self._known:
                self.fail(f"{name!r} is not one of {', '.join(self._known)}", param, ctx)
        return tuple(dict.fromkeys(names))


class CountsType(click.ParamType[tuple[int, ...]]):
    """Comma-separated whole numbers from 1 to 64."""

    name = "N[,N…]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        names = _items(value)
        if not names or not all(name.isdecimal() and 1 <= int(name) <= 64 for name in names):
            self.fail(f"{value!r} is not a list of numbers from 1 to 64 such as 1,2", param, ctx)
        return tuple(dict.fromkeys(map(int, names)))


def _items(value: Any) -> tuple[str, ...]:
    parts: Iterable[Any] = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(str(part).strip() for part in parts if str(part).strip())


def default_config() -> Path:
    """The configuration file read when no other is named."""
    return Path(platformdirs.user_config_dir("decalage")) / "config.toml"


def load_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the file's values the defaults of the command's options.

    Keys are option names without dashes in front (``to = "pt"``, ``end-silence = 0.4``). One that only
    other commands have is passed over; an unknown one, or a file that is not TOML, is bad usage.
    """
    chosen = path or default_config()
    if path is None and not chosen.is_file():
        return
    try:
        given = tomllib.loads(chosen.read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(f"cannot read {chosen}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # too large a number, too deep a list
        raise click.BadParameter(f"{chosen} is not TOML: {error}") from error
    names = _names(context.command)
    known = _known(context)
    unknown = sorted(set(given) - known)
    if unknown:
        near = get_close_matches(unknown[0].replace("_", "-"), known, n=1)
        told = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
        raise click.BadParameter(f"{chosen}: unknown key {unknown[0]!r}; {told}")
    own = {names[key]: (key, value) for key, value in given.items() if key in names}
    options = {each.name: each for each in context.command.params if isinstance(each, click.Option)}
    taken = {name: _taken(options[name], value, f"{chosen}: {key}") for name, (key, value) in own.items()}
    context.default_map = {**(context.default_map or {}), **taken}


def _taken(option: click.Option, value: Any, where: str) -> Any:
    """``value`` of a file for ``option``; click's own types take it for granted that it can be read.

    What can be given several times may be a list.
    """
    items = value if option.multiple and isinstance(value, list) else [value]
    kinds = _kinds(option)
    for item in items:
        fits = not kinds or (isinstance(item, kinds) and (bool in kinds or not isinstance(item, bool)))
        if not fits or (isinstance(item, float) and not isfinite(item)) or "\0" in str(item):
            raise click.BadParameter(f"{where} cannot be {brief(value)}")
    return items if option.multiple else value


def _kinds(option: click.Option) -> tuple[type, ...]:
    """What ``option`` may be in a file; empty: its type, one of ours, tells."""
    if isinstance(option.type, EncoderWindowType | LanguagesType | TermsType | NamesType | CountsType):
        return ()
    if option.is_flag:
        return bool, str
    if isinstance(option.type, click.types.FloatParamType):
        return int, float, str
    return (int, str) if isinstance(option.type, click.types.IntParamType) else (str,)


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=load_config,
    is_eager=True,
    expose_value=False,
    envvar="DECALAGE_CONFIG",
    help="Settings in TOML, keys named as the options.",
)
"""Gives a command its file of settings."""


def _known(context: click.Context) -> set[str]:
    """Keys that any command with a configuration file takes: one file serves all of them."""
    root = context.find_root().command
    siblings = root.commands.values() if isinstance(root, click.Group) else []
    configured = [each for each in siblings if any(option.name == "config" for option in each.params)]
    return {key for each in [context.command, *configured] for key in _names(each)}


def _names(command: click.Command) -> dict[str, str]:
    """Option names without dashes in front → parameters of ``command``."""
    return {
        name.lstrip("-"): parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name and parameter.name != "config"
        for name in parameter.opts
        if name.startswith("--")
    }
