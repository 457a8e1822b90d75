"""Capture in a process of its own: a source there, and what stands for it here.

::

    source ─▶ child: a slot of shared memory ── (first, length, slot) ─▶ owner: AudioChunk
                     ◀───────────────────────── acknowledged ───────────
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError
from decalage.runtimes.child import sendable, spawn
from decalage.runtimes.sound_block import SoundBlock

logger = logging.getLogger(__name__)

_SLOT = SAMPLE_RATE // 2
_SLOTS = 8
"""Four seconds of sound may be on their way."""


def can_move(source: AudioSource) -> bool:
    """Whether ``source`` can go to another process: standard input cannot."""
    try:
        pickle.dumps(source)
    except Exception:
        return False
    return True


class CapturedElsewhere:
    """``contracts.AudioSource`` over a process that iterates ``source``, which must be picklable."""

    def __init__(self, source: AudioSource, stream: str) -> None:
        self.name = source.name
        self.duration_s = source.duration_s
        self._lock = threading.Lock()
        self._block = SoundBlock(_SLOT * _SLOTS)
        self._process, self._connection = spawn(f"audio-{stream}", _capture, self._block.name, source)

    def __repr__(self) -> str:
        return f"<CapturedElsewhere {self.name!r} {self._process.name}>"

    @property
    def pid(self) -> int:
        """The capturing process."""
        return self._process.pid or 0

    def __iter__(self) -> Iterator[AudioChunk]:
        """Raises what the source raised, ``DamagedInputError`` when its process is gone."""
        try:
            while True:
                told = self._connection.recv()
                if told is None:
                    return
                if isinstance(told, BaseException):
                    raise told
                first, length, slot = told
                yield AudioChunk(first, self._block.read(length, slot * _SLOT))
                self._send("taken")
        except (EOFError, OSError) as error:
            raise DamagedInputError("the process that captured the sound has ended") from error
        finally:
            self._process.kill()
            self._process.join()
            with self._lock:
                self._connection.close()
            self._block.close()

    def stop(self) -> None:
        self._send("stop")

    def kill(self) -> None:
        """End it now; the iteration ends with an error."""
        self._process.kill()

    def _send(self, word: str) -> None:
        with self._lock:
            try:
                self._connection.send(word)
            except OSError:
                logger.debug("%r is gone", self)


def _capture(connection: Connection, block: str, source: AudioSource) -> None:
    """The child: iterate ``source`` until it ends, is stopped, or nobody listens any more."""
    slots = threading.Semaphore(_SLOTS)
    gone = threading.Event()

    def listen() -> None:
        try:
            while connection.recv() != "stop":
                slots.release()
        except (EOFError, OSError):
            gone.set()
        source.stop()
        slots.release(_SLOTS)  # nobody waits for a slot any more

    threading.Thread(target=listen, name="listen", daemon=True).start()
    place, slot = SoundBlock(0, block), 0
    told: BaseException | None = None
    try:
        for chunk in source:
            for at in range(0, len(chunk.samples), _SLOT):
                piece = chunk.samples[at : at + _SLOT]
                slots.acquire()
                if gone.is_set():
                    return
                place.write(piece, slot * _SLOT)
                connection.send((chunk.first + at, len(piece), slot))
                slot = (slot + 1) % _SLOTS
    except BaseException as error:
        told = sendable(error)
    try:
        connection.send(told)
    except OSError:
        logger.debug("nobody waits for the end of %r", source)
