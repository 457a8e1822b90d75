"""Capture in a process of its own: a source there, and what stands for it here.

::

    source ─▶ child: a slot of shared memory ── (first, length, slot) ─▶ owner: AudioChunk
                     ◀───────────────────────── taken, or stop ─────────
"""

from __future__ import annotations

import atexit
import logging
import pickle
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import cast

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.contracts import AudioSource
from decalage.errors import DamagedInputError
from decalage.runtimes.child import end, gone, heard, sendable, spawn
from decalage.runtimes.deadlines import START_LIMIT_S
from decalage.runtimes.sound_block import SoundBlock

logger = logging.getLogger(__name__)

_SLOT = SAMPLE_RATE // 2
_SLOTS = 8
"""Four seconds of sound may be on their way."""

_TAKEN, _STOP, _READY = "taken", "stop", "ready"


_ENDED = "the process that captured the sound has ended"


def packed(source: AudioSource) -> bytes | None:
    """``source`` on its way to another process; None where it cannot leave: standard input."""
    try:
        return pickle.dumps(source)
    except Exception:
        return None


class CapturedElsewhere:
    """``contracts.AudioSource`` over a process that iterates what is ``packed`` of ``source``."""

    def __init__(self, source: AudioSource, packed: bytes, stream: str) -> None:
        self.name = source.name
        self.duration_s = source.duration_s
        self._lock = threading.Lock()
        self._closed = False
        self._block = SoundBlock(_SLOT * _SLOTS)
        try:
            self._process, self._connection = spawn(f"audio-{stream}", _capture, self._block.name, packed)
        except BaseException:
            self._block.close()
            raise
        self.pid = self._process.pid or 0
        """The capturing process."""
        atexit.register(self.kill)

    def __repr__(self) -> str:
        return f"<CapturedElsewhere {self.name!r} {self.pid}>"

    def ready(self) -> None:
        """Wait until the process is about to read its source, so that no run is charged with its start.

        What went wrong by then is told by the iteration.
        """
        heard(self._process, self._connection, START_LIMIT_S)

    def __iter__(self) -> Iterator[AudioChunk]:
        """Raises what the source raised, ``DamagedInputError`` when its process is gone."""
        try:
            if not heard(self._process, self._connection):
                raise DamagedInputError(_ENDED)
            while (told := self._told()) is not None:
                if told == _READY:
                    continue
                if isinstance(told, BaseException):
                    raise told
                first, length, slot = cast("tuple[int, int, int]", told)
                yield AudioChunk(first, self._block.read(length, slot * _SLOT))
                self._send(_TAKEN)
        finally:
            self.close()

    def stop(self) -> None:
        self._send(_STOP)

    def kill(self) -> None:
        """End it now; the iteration ends with an error."""
        end(self._process)

    def close(self) -> None:
        """End it and let go of its pipe and memory. Idempotent; ends with the iteration by itself."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            end(self._process)
            gone(self._process)
            self._connection.close()
            self._block.close()
        atexit.unregister(self.kill)

    def _told(self) -> tuple[int, int, int] | str | BaseException | None:
        try:
            told: tuple[int, int, int] | str | BaseException | None = self._connection.recv()
        except (EOFError, OSError) as error:
            raise DamagedInputError(_ENDED) from error
        return told

    def _send(self, word: str) -> None:
        with self._lock:
            try:
                self._connection.send(word)
            except OSError:
                logger.debug("%r is gone", self)


def _capture(connection: Connection, block: str, source: bytes) -> None:
    """The child: iterate ``source`` until it ends, is stopped, or nobody listens any more."""
    slots, deserted = threading.Semaphore(_SLOTS), threading.Event()
    told: BaseException | None = None
    try:
        opened: AudioSource = pickle.loads(source)  # noqa: S301 - our owner's bytes
        listener = threading.Thread(
            target=_listen, args=(connection, opened, slots, deserted), name="listen", daemon=True
        )
        listener.start()
        place, slot = SoundBlock(0, block), 0
        connection.send(_READY)
        for chunk in opened:
            for at in range(0, len(chunk.samples), _SLOT):
                piece = chunk.samples[at : at + _SLOT]
                slots.acquire()
                if deserted.is_set():
                    return
                place.write(piece, slot * _SLOT)
                connection.send((chunk.first + at, len(piece), slot))
                slot = (slot + 1) % _SLOTS
    except BaseException as error:
        told = sendable(error)
    try:
        connection.send(told)
    except OSError:
        logger.debug("nobody waits for the end of the sound")


def _listen(
    connection: Connection, source: AudioSource, slots: threading.Semaphore, deserted: threading.Event
) -> None:
    """The owner's words: each slot it has taken is free again, also while the source comes to its stop."""
    try:
        while True:
            if connection.recv() == _STOP:
                _stop(source)
            else:
                slots.release()
    except (EOFError, OSError):
        deserted.set()
    _stop(source)
    slots.release()  # whoever waits for one sees that nobody reads


def _stop(source: AudioSource) -> None:
    try:
        source.stop()
    except Exception:
        logger.exception("%r does not stop", source)
