"""Live speech translation on the CPU you have.

::

    from decalage import Interpreter
    with Interpreter(source="en", targets=["pt"]) as interpreter:
        for caption in interpreter.translate("talk.mp4"):
            print(caption.start, caption.text["pt"])
"""

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
