"""Live speech translation on the CPU you have.

::

    from decalage import Interpreter
    with Interpreter(source="en", targets=["pt"]) as interpreter:
        for caption in interpreter.translate("talk.mp4"):
            print(caption.start, caption.text["pt"])

A name is imported when it is asked for: the command and the processes it starts come through here, and what
takes half a second would be in the way of a Ctrl-C and of their start.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decalage.app.interpreter import Interpreter
    from decalage.app.settings import Settings
    from decalage.audio import AudioChunk
    from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions
    from decalage.errors import DecalageError
    from decalage.events import Caption, Event, Failure, Gap, Partial, Rejected, Start, Summary

__all__ = [
    "AudioChunk",
    "Caption",
    "DecalageError",
    "Event",
    "Failure",
    "Gap",
    "Interpreter",
    "Partial",
    "RecognizerOptions",
    "Rejected",
    "SegmenterOptions",
    "Settings",
    "Start",
    "StreamOptions",
    "Summary",
]

_HOMES = ("events", "errors", "config", "audio", "app.settings", "app.interpreter")
"""Where they are, what is soonest imported first."""


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
