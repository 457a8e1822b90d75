"""Fakes for runtimes that use other processes: built there, answered here.

::

    test process                                   child process
    ServedBlueprint ── pickled: an address ──────▶ its segmenter(), recognizer(), translator()
    the test's own fakes ◀── every call ────────── give parts whose calls come back

So the gates, counts and failures of a test are at hand whatever process the runtime calls from, and
whichever of its threads.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, cast

from decalage.config import SegmenterOptions
from decalage.contracts import Recognizer, Segmenter, StageBlueprint, Translator

Address = tuple[str, int]


class ServedBlueprint:
    """Picklable stand-in for ``blueprint``, which is called in this process, a thread for each caller."""

    def __init__(self, blueprint: StageBlueprint) -> None:
        self._blueprint = blueprint
        self._key = secrets.token_bytes(32)  # what comes is unpickled: nobody else may call
        self._listener = Listener(("127.0.0.1", 0), authkey=self._key)
        self._closing = False
        self._parts: list[Any] = [blueprint]
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, name="fakes", daemon=True)]
        self._threads[0].start()

    def __reduce__(self) -> tuple[type[CalledBlueprint], tuple[Address, bytes]]:
        return CalledBlueprint, (self._address, self._key)

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        """As the blueprint it stands for."""
        return self._blueprint.segmenter(stream, options)

    def recognizer(self, concurrency: int) -> Recognizer:
        """As the blueprint it stands for."""
        return self._blueprint.recognizer(concurrency)

    def translator(self) -> Translator:
        """As the blueprint it stands for."""
        return self._blueprint.translator()

    def close(self) -> None:
        """End the serving threads, once the calling processes have ended."""
        self._closing = True
        with suppress(OSError, EOFError):  # who came just before has woken it
            Client(self._address, authkey=self._key).close()  # wakes ``_accept``
        for thread in self._threads:
            thread.join(30)

    @property
    def _address(self) -> Address:
        return cast("Address", self._listener.address)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (AuthenticationError, OSError, EOFError):  # a stranger
                continue
            if self._closing:
                connection.close()
                self._listener.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="fakes", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        """Answer one thread of a process until it ends."""
        while True:
            try:
                number, method, args, kwargs = connection.recv()
            except (EOFError, OSError):
                connection.close()
                return
            try:
                result, failed = getattr(self._parts[number], method)(*args, **kwargs), False
            except Exception as error:
                result, failed = error, True
            if number == 0 and not failed:
                with self._lock:
                    self._parts.append(result)
                    result = len(self._parts) - 1
            try:
                connection.send((result, failed))
            except OSError:
                connection.close()
                return


class Lines(threading.local):
    """To the process of the test, one for each thread."""

    def __init__(self, address: Address, key: bytes) -> None:
        self.connection = Client(address, authkey=key)


class CalledPart:
    """A stage whose calls go to the process of the test."""

    def __init__(self, lines: Lines, number: int) -> None:
        self._lines = lines
        self._number = number

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._lines.connection.send((self._number, method, args, kwargs))
            result, failed = self._lines.connection.recv()
            if failed:
                raise result
            return result

        return call


class CalledBlueprint:
    """What a ``ServedBlueprint`` is in another process."""

    def __init__(self, address: Address, key: bytes) -> None:
        self._lines = Lines(address, key)
        self._whole = CalledPart(self._lines, 0)

    def segmenter(self, *args: Any) -> Any:
        return CalledPart(self._lines, self._whole.segmenter(*args))

    def recognizer(self, concurrency: int) -> Any:
        return CalledPart(self._lines, self._whole.recognizer(concurrency))

    def translator(self) -> Any:
        return CalledPart(self._lines, self._whole.translator())
