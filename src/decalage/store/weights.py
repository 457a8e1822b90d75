"""The variables of a CTranslate2 model file, read without the engine.

The format is what ``ctranslate2/specs/model_spec.py`` writes (binary version 6): a header, for each
variable its name, shape, type and bytes, then names that stand for others. Little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decalage.errors import ModelDamagedError, one_line

Array: TypeAlias = NDArray[Any]

_VERSION = 6
_TYPES: Mapping[int, str] = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
"""Type number → numpy type; bfloat16 (5) has none."""
_ATTRIBUTES_AT_MOST = 1 << 16
"""Variables in a file; the largest Whisper has under a thousand."""

_LEAST_SCALE = 1e-30
"""What is divided by less may be infinite."""


class UnreadableWeightsError(ModelDamagedError):
    """Raised for a file that is no CTranslate2 model, is cut short, or has weights of a type unknown here."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Read-only arrays over the mapped file: memory is taken for what is looked at."""

    kind: str
    """The specification, ``WhisperSpec`` for Whisper."""
    arrays: Mapping[str, Array]

    def floats(self, name: str) -> NDArray[np.float32]:
        """A variable as float32, whatever it is stored as. Raises ``UnreadableWeightsError``."""
        array = self._stored(name)
        if array.dtype not in (np.int8, np.int16):
            return array.astype(np.float32)
        # CTranslate2 stores round(weight × scale): a scale for each row of bytes, one for all of int16
        scale = self._stored(f"{name}_scale").astype(np.float32)
        rows = array.shape[0] if array.ndim else 1
        if scale.size not in (1, rows) or not (np.isfinite(scale) & (scale > _LEAST_SCALE)).all():
            raise UnreadableWeightsError(f"the scale of {name} in the model file is none")
        return array.astype(np.float32) / scale.reshape(-1, *[1] * (array.ndim - 1))

    def number(self, name: str) -> int:
        """A variable that is one whole number. Raises ``UnreadableWeightsError``."""
        array = self._stored(name)
        if array.ndim or not np.isfinite(array):
            raise UnreadableWeightsError(f"{name} in the model file is no number")
        return int(array)

    def layers(self, part: str) -> int:
        """How many layers ``part`` (encoder or decoder) has."""
        prefix = f"{part}/layer_"
        found = {name.removeprefix(prefix).split("/")[0] for name in self.arrays if name.startswith(prefix)}
        return sum(each.isdigit() for each in found)

    def _stored(self, name: str) -> Array:
        try:
            return self.arrays[name]
        except KeyError as error:
            raise UnreadableWeightsError(f"the model file has no {name}") from error


def read_weights(path: Path) -> Weights:
    """The variables in ``path``. Raises ``UnreadableWeightsError``."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _parsed(data)
    except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
        told = f"{path} is no CTranslate2 model: {error}; copy it there again"
        raise UnreadableWeightsError(told) from error


def _parsed(data: mmap.mmap) -> Weights:
    reader = _Reader(data)
    version = reader.number("I")
    if version != _VERSION:
        raise ValueError(f"binary version {version}, not {_VERSION}")
    kind = reader.text()
    reader.number("I")  # revision of the specification
    arrays = dict(reader.variables())
    for _ in range(reader.count()):
        alias, name = reader.text(), reader.text()
        if name in arrays:
            arrays[alias] = arrays[name]
    return Weights(kind, arrays)


class _Reader:
    """Goes through the file once."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def variables(self) -> Iterator[tuple[str, Array]]:
        for _ in range(self.count()):
            name = self.text()
            shape = [self.number("I") for _ in range(self.number("B"))]
            kind, size = self.number("B"), self.number("I")
            if kind not in _TYPES:
                told = f"weights of type {kind}, which only the engine itself reads"
                raise ValueError(f"{one_line(name)[:100]} has {told}")
            dtype = np.dtype(_TYPES[kind])
            if self._at + size > len(self._data):
                raise ValueError(f"cut short in {one_line(name)[:100]}")
            array = np.frombuffer(self._data, dtype, count=size // dtype.itemsize, offset=self._at)
            self._at += size
            yield name, array.reshape(shape)

    def count(self) -> int:
        count = self.number("I")
        if count > _ATTRIBUTES_AT_MOST:
            raise ValueError(f"{count} entries")
        return count

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return int(value)

    def text(self) -> str:
        length = self.number("H")
        if self._at + length > len(self._data) or not length:
            raise ValueError("cut short in a name")
        raw = self._data[self._at : self._at + length - 1]
        self._at += length
        return raw.decode()
