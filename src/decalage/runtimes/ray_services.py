"""Engines in actors of a Ray cluster: what runs there, and what stands for it here.

Nothing here needs Ray: an actor is a ``Served`` in a process that Ray has begun.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import metadata
from typing import Any, Protocol

from decalage.audio import Samples
from decalage.config import RecognizerOptions
from decalage.contracts import StageBlueprint
from decalage.errors import EngineError, MissingPartError
from decalage.runtimes.calls import RemoteCall, WorkerLostError, reason
from decalage.runtimes.child import sendable
from decalage.runtimes.remote import NO_SOUND
from decalage.speech import Rejection, Transcript, Translation, Utterance


def version() -> str:
    """Of this program: what an actor runs has to be the same."""
    return metadata.version("decalage")


class Served:
    """A service in an actor, called by as many threads as the actor was given."""

    def __init__(self) -> None:
        self._service: object = None

    def process(self) -> int:
        """The id of this one."""
        return os.getpid()

    def load(self, wanted: str, make: Callable[..., object], *args: object) -> BaseException | None:
        """Make the service; what was raised, if anything was."""
        if version() != wanted:
            return MissingPartError(f"decalage {version()} is installed there, {wanted} here")
        try:
            self._service = make(*args)
        except BaseException as error:
            return _told(error)
        return None

    def call(self, method: str, *args: object) -> tuple[object, bool, float]:
        """``method(*args)`` of the service: what it gives or raises, whether it raised, and its seconds."""
        began = time.perf_counter()
        try:
            result, failed = getattr(self._service, method)(*args), False
        except BaseException as error:  # a panic of native code is no Exception
            result, failed = _told(error), True
        return result, failed, time.perf_counter() - began


def _told(error: BaseException) -> BaseException:
    return sendable(error if isinstance(error, Exception) else EngineError(reason(error)))


class RecognizerService:
    """Recognizes on a node: one set of weights for all calls at a time."""

    def __init__(self, blueprint: StageBlueprint, concurrency: int) -> None:
        self._engine = blueprint.recognizer(concurrency)

    def recognize(
        self,
        samples: Samples,
        silent: Utterance,
        options: RecognizerOptions,
        draft: Transcript | None,
    ) -> Transcript | Rejection:
        """``samples`` lie in the object store and cannot be written to."""
        return self._engine.recognize(replace(silent, samples=samples), options, draft)


class Called(Protocol):
    """An actor."""

    @property
    def pid(self) -> int:
        """Of its process."""
        ...

    def call(self, method: str, *args: object) -> tuple[Any, float]:
        """What a method gives, and the seconds that it took there."""
        ...


class Store(Protocol):
    """Where sound lies that actors read."""

    def stored(self, samples: Samples) -> AbstractContextManager[object]:
        """A reference to ``samples``, good until the end of the context."""
        ...


class Caller:
    """The calls of one turn on an actor, with where and when they were answered; for one thread."""

    def __init__(self, actor: Called) -> None:
        self._actor = actor
        self._answered: list[RemoteCall] = []

    def call(self, method: str, *args: object) -> Any:
        """As ``actor.call``. Times are those of this machine: clocks of others say something else."""
        began, seconds = time.monotonic(), 0.0
        try:
            result, seconds = self._actor.call(method, *args)
        except WorkerLostError:
            self._answered.append(RemoteCall(self._actor.pid, began, time.monotonic(), 0.0))
            raise
        end = time.monotonic()
        start = max(began, end - seconds)
        self._answered.append(RemoteCall(self._actor.pid, start, end, start - began))
        return result

    def answered(self) -> list[RemoteCall]:
        """The calls since this was asked last, lost ones too."""
        calls, self._answered = self._answered, []
        return calls


class ActorRecognizer:
    """``contracts.Recognizer`` over an actor, for one turn."""

    def __init__(self, caller: Caller, store: Store) -> None:
        self._caller = caller
        self._store = store

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        silent = replace(utterance, samples=NO_SOUND)
        with self._store.stored(utterance.samples) as sound:
            result: Transcript | Rejection = self._caller.call("recognize", sound, silent, options, draft)
        return result


class ActorTranslator:
    """``contracts.Translator`` over an actor, for one turn."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        translation: Translation = self._caller.call("translate", text, source, target)
        return translation

    def pairs(self) -> Sequence[tuple[str, str]]:
        pairs: Sequence[tuple[str, str]] = self._caller.call("pairs")
        return pairs
