"""Voice activity: Silero VAD v6 on onnxruntime, streaming, one small state per stream.

The network file ships inside faster-whisper; it is found without importing that package, whose
import is slow. Its own wrapper forgets its state at every call and is meant for whole files: here a
stream keeps the recurrent state and the last samples of the frame before.

No gain stands before the network: measured, it recalls speech peaking at −45 dBFS like loud speech,
while a gain on ordinary sound loses speech and finds it in noise.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from decalage.audio import Samples
from decalage.errors import MissingPartError, ModelDamagedError, ModelMissingError

FRAME_SAMPLES = 512
"""32 ms at 16 kHz: the one frame length the network was trained for."""

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)
_FILE = Path("assets", "silero_vad_v6.onnx")
_PACKAGE = "faster-whisper"
_INSTALL = f"python -m pip install '{_PACKAGE}>=1.2,<2'"
_MEND = f"python -m pip install --force-reinstall --no-deps '{_PACKAGE}>=1.2,<2'"


def silero_path() -> Path:
    """The network file, as it was installed.

    Raises ``ModelMissingError`` when faster-whisper or the file is not here, ``ModelDamagedError`` when it
    is another than was installed: damaged weights would load, and hear nothing.
    """
    spec = importlib.util.find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise ModelMissingError(f"the voice activity model is not installed: {_INSTALL}")
    path = Path(spec.origin).parent / _FILE
    if not path.is_file():
        raise ModelMissingError(f"the voice activity model is not at {path}: {_MEND}")
    if (installed := _installed_sha256(path)) is not None:
        found = urlsafe_b64encode(sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        if found != installed:
            raise ModelDamagedError(f"{path} is not as it was installed; run: {_MEND}")
    return path


def _installed_sha256(path: Path) -> str | None:
    """What pip noted for ``path``: base64 without padding; None where it noted nothing of the kind."""
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == path.name and file.hash is not None and file.hash.mode == "sha256":
            return str(file.hash.value) if Path(str(file.locate())) == path else None
    return None


class SileroModel:
    """The network, loaded once and shared by all streams; ``detector()`` from any thread.

    The session runs on the calling thread alone and releases the GIL, about 0.13 ms a frame.
    Raises ``ModelMissingError`` without the file, ``MissingPartError`` without onnxruntime or with a
    file it cannot load.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = silero_path() if path is None else path
        if not self.path.is_file():
            raise ModelMissingError(f"the voice activity model is not at {self.path}: {_MEND}")
        try:
            import onnxruntime  # noqa: PLC0415  # loads a large native library
        except ImportError as error:
            raise MissingPartError(
                "onnxruntime is not installed: python -m pip install onnxruntime"
            ) from error
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        settings.enable_cpu_mem_arena = False
        settings.log_severity_level = 4
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(self.path), sess_options=settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no root
            raise MissingPartError(f"{self.path} does not load as a network: {_MEND}") from error

    def detector(self) -> SileroDetector:
        """A detector with a fresh state, for one stream."""
        return SileroDetector(self._session)

    def __repr__(self) -> str:
        return f"<SileroModel {self.path.name}>"


class SileroDetector:
    """Speech probability of one stream's frames, in order; made by ``SileroModel.detector``."""

    frame_samples: int = FRAME_SAMPLES

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input: Samples = np.zeros((1, _CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)
        self._hidden: Samples = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._cell: Samples = np.zeros(_STATE_SHAPE, dtype=np.float32)

    def probability(self, frame: Samples) -> float:
        """Probability in 0…1 that ``frame``, shape (512,), holds speech; ``frame`` is left as it is.

        The network hears a sample that is no number as 0 and one beyond ±1 as ±1: let through, they
        would stay in its state and deafen the rest of the stream.
        """
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        np.clip(np.nan_to_num(frame, nan=0.0), -1.0, 1.0, out=self._input[0, _CONTEXT_SAMPLES:])
        output, self._hidden, self._cell = self._session.run(
            None, {"input": self._input, "h": self._hidden, "c": self._cell}
        )
        return float(output.reshape(-1)[0])
