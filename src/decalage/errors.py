"""Every error decalage raises.

::

    DecalageError
    ├── UsageError                 exit 2: what was asked cannot be done
    │   ├── UnsupportedPairError   no model translates this pair of languages
    │   ├── InputError             the sound cannot be opened or holds no audio
    │   └── OutputError            captions cannot be written there
    ├── MissingPartError           exit 3: a model, device or extra is not here
    │   ├── ModelMissingError
    │   └── ModelDamagedError      a file's hash is not the one that was published
    ├── DamagedInputError          exit 1: sound stopped decoding part of the way
    ├── IncompleteError            exit 1: some speech was not captioned
    ├── EngineError                a recognizer or translator failed on one utterance
    └── ClosedError                used after it was closed
        ├── StreamFinishedError    fed after finish()
        └── RuntimeClosedError     opened after close()

Each message is one line that says what happened and what to do about it.
"""

from __future__ import annotations


class DecalageError(Exception):
    """Root of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(DecalageError):
    """Raised when options contradict each other or name something that does not exist."""

    exit_code = 2


class UnsupportedPairError(UsageError):
    """Raised at start when no translator covers a pair; the message lists what is covered."""


class InputError(UsageError):
    """Raised when a source cannot be opened or has no decodable sound at all."""


class OutputError(UsageError):
    """Raised when a sink cannot be written: check the folder, its rights and free space."""


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


class EngineError(DecalageError):
    """Raised by an engine on one utterance; runtimes turn it into a ``Failure`` event in its place."""


class ClosedError(DecalageError):
    """Raised when something is used after its end."""


class StreamFinishedError(ClosedError):
    """Raised by ``feed()`` after ``finish()``: open another stream."""


class RuntimeClosedError(ClosedError):
    """Raised by ``open()`` and ``run()`` after ``close()``: make another runtime."""


def one_line(message: object) -> str:
    """``message``, an error or a text, with its white space folded so that it fits one line."""
    return " ".join(str(message).split())
