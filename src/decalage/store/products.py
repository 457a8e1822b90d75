"""Whether ONNX Runtime multiplies unsigned with signed bytes exactly on this processor.

With VNNI it does, and faster than unsigned with unsigned ones. On other x86 processors it adds pairs of
products in 16 bits, which overflow (its documentation on quantization, "saturation issue").
"""

from __future__ import annotations

import base64
from functools import cache

import numpy as np

WIDTH = 512
PROBE = base64.b85decode(
    "2niAZI+y_pGYSQBXkl<=5&?H24?}Nmb97;DbWdheXkl<=Di#U_c42IFWhx2?0T2T!0e?aPcAx<S3K$9jcnSe`5&?N44"
    "NYNmO?7NZZggd5WpWY-aB^>Cbz^jMDi8<)5C=K~fCL~y1#@U&aAjH*3ITW$5DE?m0ul-e0}=sl3Ihm$1Y#5l0eKP+3J"
    "nMb5(x?e5&>=s0tg^N1PTBU5&"
)
"""Bytes 0…255, shape (rows, 512), times a matrix of 127, as an ONNX model."""


@cache
def signed_weights_are_exact() -> bool:
    """Tried with the largest there are."""
    import onnxruntime  # noqa: PLC0415 - loads a large native library

    session = onnxruntime.InferenceSession(PROBE, providers=["CPUExecutionProvider"])
    for rows in (1, 8):  # a vector and a matrix have kernels of their own
        (products,) = session.run(None, {"x": np.full((rows, WIDTH), 255, np.uint8)})
        if (np.asarray(products) != 255 * 127 * WIDTH).any():
            return False
    return True
