"""Engines in other processes: what runs there, and what stands for it here.

Each ``Remote…`` implements the contract of its stage over a ``Child`` and copies the sound into a
block of shared memory first; each ``…Service`` reads it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from decalage.audio import SAMPLE_RATE, Samples
from decalage.config import RecognizerOptions
from decalage.contracts import StageBlueprint
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.child import Child
from decalage.runtimes.sound_block import SoundBlock
from decalage.speech import Rejection, Transcript, Translation, Utterance

_ROOM = 32 * SAMPLE_RATE
"""Samples that a block has room for at first: one utterance at Whisper's limit."""
NO_SOUND: Samples = np.zeros(0, np.float32)


class Desk:
    """The owner's side of a block that is as large as it has to be."""

    def __init__(self) -> None:
        self._block: SoundBlock | None = None
        self._closed = False

    def lay(self, samples: Samples) -> SoundBlock:
        """A block that begins with ``samples``. Raises as ``room``."""
        block = self.room(len(samples))
        block.write(samples)
        return block

    def room(self, size: int) -> SoundBlock:
        """A block with room for ``size`` samples at least. Raises ``WorkerLostError`` after ``close``."""
        if self._closed:
            raise WorkerLostError("the runtime is closed")
        if self._block is None or self._block.size < size:
            if self._block is not None:
                self._block.close()
            self._block = SoundBlock(max(size, _ROOM))
        return self._block

    def clear(self) -> None:
        """A fresh process gets a fresh block: one that could not attach to this has taken its name away."""
        if self._block is not None:
            self._block.close()
        self._block = None

    def close(self) -> None:
        """Let go of the block, for good. Idempotent."""
        self._closed = True
        if self._block is not None:
            self._block.close()


class Reader:
    """The child's side: attached to the block that was named last."""

    def __init__(self) -> None:
        self._block: SoundBlock | None = None

    def at(self, name: str) -> SoundBlock:
        """The block called ``name``."""
        if self._block is None or self._block.name != name:
            if self._block is not None:
                self._block.close()
            self._block = SoundBlock(0, name)
        return self._block


class RecognizerService:
    """Recognizes in a process of its own."""

    def __init__(self, blueprint: StageBlueprint) -> None:
        self._engine = blueprint.recognizer(1)
        self._reader = Reader()

    def recognize(
        self,
        block: str,
        length: int,
        silent: Utterance,
        options: RecognizerOptions,
        draft: Transcript | None,
    ) -> Transcript | Rejection:
        utterance = replace(silent, samples=self._reader.at(block).read(length))
        return self._engine.recognize(utterance, options, draft)


class RemoteRecognizer:
    """``contracts.Recognizer`` over a child, for one caller at a time."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._desk = Desk()

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        block = self._desk.lay(utterance.samples).name
        silent = replace(utterance, samples=NO_SOUND)
        try:
            result: Transcript | Rejection = self._child.call(
                "recognize", block, len(utterance.samples), silent, options, draft
            )
        except WorkerLostError:
            self._desk.clear()
            raise
        return result

    def close(self) -> None:
        """Let go of the shared memory."""
        self._desk.close()


class TranslatorService:
    """Translates in a process of its own."""

    def __init__(self, blueprint: StageBlueprint) -> None:
        self._engine = blueprint.translator()

    def translate(self, text: str, source: str, target: str) -> Translation:
        return self._engine.translate(text, source=source, target=target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return self._engine.pairs()


class RemoteTranslator:
    """``contracts.Translator`` over a child, for one caller at a time."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        translation: Translation = self._child.call("translate", text, source, target)
        return translation

    def pairs(self) -> Sequence[tuple[str, str]]:
        pairs: Sequence[tuple[str, str]] = self._child.call("pairs")
        return pairs
