"""Every error decalage raises.

::

    DecalageError
    ├── UsageError                 exit 2: what was asked cannot be done
    │   ├── NoRoomError            a machine has no memory for that
    │   ├── UnsupportedPairError   no model translates this pair of languages
    │   ├── InputError             the sound cannot be opened or holds no audio
    │   ├── OutputError            captions cannot be written there
    │   └── UnreachableError       no server answers at that address
    ├── MissingPartError           exit 3: a model, device or extra is not here
    │   ├── ModelMissingError
    │   └── ModelDamagedError      a file's hash is not the one that was published
    ├── DamagedInputError          exit 1: sound stopped decoding part of the way
    ├── IncompleteError            exit 1: some speech was not captioned
    ├── ServerError                exit 1: a server failed; ``code`` is the protocol's
    │   ├── ServerRefusalError     exit 2: it does not take what was asked for, or whom
    │   └── ConnectionLostError    it was not reached again while the session could be resumed
    ├── MalformedEventError        an object of JSON is not the event that it says it is
    ├── EngineError                a recognizer or translator failed on one utterance
    ├── StrandedError              exit 1: nobody is left who recognizes or translates
    └── ClosedError                used after it was closed
        ├── StreamFinishedError    fed after finish()
        └── RuntimeClosedError     opened after close()

Each message is one line that says what happened and what to do about it.
"""

from __future__ import annotations

from reprlib import Repr

_SHOWN = Repr()
_SHOWN.maxlevel = 2
_SHOWN.maxstring = _SHOWN.maxother = 60
_SHOWN_LETTERS = 60


class DecalageError(Exception):
    """Root of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(DecalageError):
    """Raised when options contradict each other or name something that does not exist."""

    exit_code = 2


class NoRoomError(UsageError):
    """Raised when a machine has no memory for what is asked of it; the message says what would fit."""

    def __init__(self, message: str, fits: int) -> None:
        super().__init__(message)
        self.fits = fits
        """Recognitions at a time that there is memory for."""

    def __reduce__(self) -> tuple[type[NoRoomError], tuple[str, int]]:
        return type(self), (str(self), self.fits)


class UnsupportedPairError(UsageError):
    """Raised at start when no translator covers a pair; the message lists what is covered."""


class InputError(UsageError):
    """Raised when a source cannot be opened or has no decodable sound at all."""


class OutputError(UsageError):
    """Raised when a sink cannot be written: check the folder, its rights and free space."""


class UnreachableError(UsageError):
    """Raised at start when no server answers: check the address and that ``decalage serve`` runs there."""


class MissingPartError(DecalageError):
    """Raised when something optional is not installed; the message names the command that installs it."""

    exit_code = 3


class ModelMissingError(MissingPartError):
    """Raised when a model is nowhere on this machine and may not or cannot be downloaded."""


class ModelDamagedError(MissingPartError):
    """Raised when a model file does not have its published hash; delete it and add it again."""


class DamagedInputError(DecalageError):
    """Raised by a source after its last good sample, when the rest could not be decoded."""


class IncompleteError(DecalageError):
    """Raised after the last caption when some speech failed or was dropped; names each piece."""


class ServerError(DecalageError):
    """Raised when a server failed, or gave up a session that went well so far."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        """As in the protocol, section "Errors and close codes"."""

    def __reduce__(self) -> tuple[type[ServerError], tuple[str, str]]:
        return type(self), (str(self), self.code)


class ServerRefusalError(ServerError):
    """Raised when a server does not take what was asked for: the message says what it wants."""

    exit_code = 2


class ConnectionLostError(ServerError):
    """Raised when a lost connection was not had again, or its session not: what was said since is lost."""


class MalformedEventError(DecalageError):
    """Raised when a field of an event is missing or of another type: both sides want the same version."""


class EngineError(DecalageError):
    """Raised by an engine on one utterance; runtimes turn it into a ``Failure`` event in its place."""


class StrandedError(DecalageError):
    """Raised when all nodes of a cluster are gone: go on once there is one again."""


class ClosedError(DecalageError):
    """Raised when something is used after its end."""


class StreamFinishedError(ClosedError):
    """Raised by ``feed()`` after ``finish()``: open another stream."""


class RuntimeClosedError(ClosedError):
    """Raised by ``open()`` and ``run()`` after ``close()``: make another runtime."""


def brief(value: object) -> str:
    """``value`` as a message shows what somebody sent: at most 61 letters, however long or deep it is."""
    told = _SHOWN.repr(value)
    return told if len(told) <= _SHOWN_LETTERS else f"{told[:_SHOWN_LETTERS]}…"


def one_line(message: object) -> str:
    """``message``, an error or a text, with its white space folded so that it fits one line."""
    return " ".join(str(message).split())
