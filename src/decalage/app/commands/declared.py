"""The options of a run: what is heard, how, and where captions go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, get_args

import click
from click.core import ParameterSource

from decalage.app.compose import RUNTIMES
from decalage.app.options import EncoderWindowType, LanguagesType, SecondsType, TermsType
from decalage.config import Engine, Pace, Policy, Stability
from decalage.errors import UsageError

_DECLARED: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {}
"""Long name → what adds the option to a command."""


def _option(*names: str, **attributes: Any) -> None:
    """Declare an option that can also be set as ``DECALAGE_<NAME>`` and in the config file."""
    long = next(name for name in names if name.startswith("--"))
    variable = "DECALAGE_" + long.partition("/")[0].lstrip("-").replace("-", "_").upper()
    told = attributes.get("default") != ()
    _DECLARED[long] = click.option(*names, envvar=variable, show_default=told, **attributes)


_option(
    "--from",
    "source",
    default="en",
    metavar="LANG|auto",
    help="Language of the speech (BCP 47); auto detects it.",
)
_option("--to", "targets", type=LanguagesType(), default="pt", help="Languages of the captions (BCP 47).")
_option(
    "--runtime",
    type=click.Choice(sorted(RUNTIMES)),
    default="pipeline",
    help="How the stages share the machine.",
)
_option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Recognitions at a time.  [default: by the machine's cores]",
)
_option(
    "--threads",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Threads in each recognition.  [default: by the machine's cores]",
)
_option(
    "--address",
    metavar="HOST:PORT|auto",
    help="For --runtime ray: the head of a Ray cluster.  [default: this machine alone]",
)
_option(
    "--model",
    default="base",
    metavar="NAME|PATH",
    help="Whisper model: base, tiny.en, another size or a folder.",
)
_option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where recognition runs."
)
_option(
    "--compute-type", default="auto", metavar="TYPE", help="Arithmetic of recognition; auto is int8 on a CPU."
)
_option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="auto",
    help="What runs the recognizer; auto: onnxruntime for greedy search on a CPU, else ctranslate2.",
)
_option(
    "--beam", type=click.IntRange(1, 10), default=1, metavar="N", help="Beam of the recognizer; 1 is greedy."
)
_option(
    "--encoder-window",
    type=EncoderWindowType(),
    default="auto",
    help="Sound the encoder is given: fitted, 30 s, or seconds.",
)
_option(
    "--pace",
    type=click.Choice(get_args(Pace)),
    default="max",
    help="realtime behaves as a live source and measures lag.",
)
_option(
    "--end-silence",
    "end_silence_s",
    type=SecondsType(0.1, 5),
    metavar="S",
    help="Silence that ends an utterance: 0.5 at speaking pace, 1.5 at full speed.",
)
_option(
    "--max-utterance",
    "max_utterance_s",
    type=SecondsType(5, 28),
    metavar="S",
    help="Longer speech is cut at its quietest point: 15 at speaking pace, 27 at full speed.",
)
_option(
    "--partials/--no-partials",
    default=None,
    help="Captions that grow while a person speaks.  [default: at speaking pace]",
)
_option(
    "--stability",
    type=click.Choice(get_args(Stability)),
    default="balanced",
    help="How much of a growing caption is shown; reading never takes back a word.",
)
_option(
    "--speculate/--no-speculate",
    default=True,
    help="At speaking pace: begin with a phrase in a pause that may be its end.",
)
_option(
    "--overload",
    type=click.Choice(get_args(Policy)),
    help="When the machine is too slow: degrade keeps all speech, drop-oldest the lag; at --pace max block "
    "waits.  [default: degrade at speaking pace]",
)
_option(
    "--max-lag",
    "max_lag_s",
    type=SecondsType(5, 120),
    metavar="S",
    help="With drop-oldest: no caption comes later after its speech.  [default: 10]",
)
_option(
    "--fallback-model",
    metavar="NAME|PATH",
    help="A smaller model for when the machine is too slow, loaded beside the other.",
)
_option("--prompt", metavar="TEXT", help="Names and spellings the recognizer should expect.")
_option(
    "--terms",
    type=TermsType(),
    default=(),
    help="Names and their translations, one a line: Dashwood, or London = Londres.",
)
_option(
    "--speak/--no-speak", default=False, help="Read the first target aloud, by --voice or the system's voice."
)
_option("--voice", metavar="NAME|FILE", help="A voice of Piper for --speak: a file, or one that was added.")
_option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl", "txt", "srt", "vtt", "ass"]),
    default="text",
    help="text: live captions for a terminal; txt: plain lines.",
)
_option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(dir_okay=True, path_type=str),
    metavar="PATH",
    help="Write here, by extension .srt, .vtt, .ass, .mkv, .jsonl or .txt; - is standard output. Repeatable.",
)
_option(
    "--show",
    type=click.Choice(["source", "target", "both"]),
    help="Which text the captions show.  [default: both; in subtitles target]",
)
_option(
    "--duration",
    "duration_s",
    type=SecondsType(min=0, min_open=True),
    metavar="S",
    help="Stop after this much sound.",
)
_option(
    "--trace",
    type=click.Path(path_type=str),
    metavar="PATH",
    help="What ran when and where, a file for ui.perfetto.dev.",
)
_option("--offline", is_flag=True, help="Never ask the network for a model.")
_option("-v", "--verbose", count=True, help="Tell more on standard error; twice for everything.")


def declared(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with all of them."""
    return _with(function, list(_DECLARED))


def declared_live(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with all that make sense where somebody is speaking now."""
    return _with(function, [name for name in _DECLARED if name != "--pace"])


def declared_among(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds those of them that have these long names, ``--format`` for example, to a command."""
    return lambda function: _with(function, names)


def _with(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    for name in reversed(names):
        function = _DECLARED[name](function)
    return function


def effective(context: click.Context, chosen: dict[str, Any]) -> None:
    """Refuse what the command line says of overload and has no effect; take such settings out of ``chosen``.

    Of the environment and of a file they are for other runs than this one. Raises ``UsageError``.
    """
    written = {name for name in chosen if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    policy = chosen["overload"]
    if chosen.get("pace") == "max":
        if "overload" in written and policy != "block":
            raise UsageError(f"--overload {policy} goes with --pace realtime: at --pace max nothing is late")
        if "max_lag_s" in written:
            raise UsageError("--max-lag goes with --pace realtime --overload drop-oldest")
    elif policy != "drop-oldest" and "max_lag_s" not in written:
        chosen["max_lag_s"] = None


def told(verbose: int) -> None:
    """How much is logged on standard error: errors, with ``-v`` what is done, twice for everything."""
    levels = [logging.ERROR, logging.INFO, logging.DEBUG]
    logging.basicConfig(level=levels[min(verbose, 2)], format="%(levelname)s %(name)s: %(message)s")
