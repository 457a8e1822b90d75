"""Whisper as two ONNX graphs whose matrices are 8-bit integers.

::

    encoder   mel (1, mels, 100 × s) ─▶ layers ─▶ cross_key_i, cross_value_i (1, heads, 50 × s, size),
                                                  following_key_i (1, following heads, size, 50 × s)
    decoder   embedded tokens (1, n, width), past and cross keys and values
              ─▶ layers ─▶ logits (1, kept rows, vocabulary), keys and values so far,
                           attention (1, following heads, n, 50 × s), scores before softmax

The heads that follow the speech tell when a token was said; a model's ``config.json`` names them.

A matrix has a scale for each of its columns, what it is multiplied with one for each row, both
symmetric: what a row comes to depends on that row alone, so tokens can be looked at one by one or
together with the same result. ONNX Runtime packs such matrices once, when it loads them. The model is
that of Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision* (2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decalage.store.weights import UnreadableWeightsError, Weights

_CONTRIB = "com.microsoft"
"""Operators of ONNX Runtime beside the standard ones."""
_OPSET = 18
_LEVELS = 127
_MIDDLE = 128
"""Zero as an unsigned byte."""
_GELU = 3
"""Number of the activation in the file: GELU by the error function."""
_EPSILON = 1e-5


Following: TypeAlias = Mapping[int, Sequence[int]]
"""Layer of the decoder → those of its heads that follow the speech."""


def encoder_graph(weights: Weights, following: Following, *, signed: bool) -> Any:
    """Everything from log-mel features to what the decoder attends to, as an ``onnx.ModelProto``.

    ``signed``: weights as signed bytes, for processors where products with them are exact. Raises
    ``UnreadableWeightsError`` for a model that is no Whisper.
    """
    if weights.kind != "WhisperSpec" or weights.number("decoder/activation") != _GELU:
        raise UnreadableWeightsError(f"{weights.kind} is no Whisper model")
    graph = _Graph(weights, signed=signed)
    mels = weights.floats("encoder/conv1/weight").shape[1]
    x = graph.activated(graph.convolution("mel", "encoder/conv1", stride=1))
    x = graph.activated(graph.convolution(x, "encoder/conv2", stride=2))
    x = graph.node("Transpose", x, perm=[0, 2, 1])
    x = graph.node("Add", x, graph.first_rows("encoder/position_encodings/encodings", x))
    for layer in range(weights.layers("encoder")):
        scope = f"encoder/layer_{layer}"
        x = graph.node("Add", x, graph.self_attention(x, scope))
        x = graph.node("Add", x, graph.feed_forward(x, scope))
    x = graph.normalized(x, "encoder/layer_norm")
    for layer in range(weights.layers("decoder")):
        both = graph.linear(x, f"decoder/layer_{layer}/attention/linear_1")
        key, value = (graph.by_head(half) for half in graph.split(both, 2))
        graph.output(f"cross_key_{layer}", key)
        graph.output(f"cross_value_{layer}", value)
        if layer in following:
            chosen = graph.heads_of(key, following[layer])
            graph.output(f"following_key_{layer}", graph.node("Transpose", chosen, perm=[0, 1, 3, 2]))
    graph.input("mel", [1, mels, "frames"])
    return graph.model()


def decoder_graph(weights: Weights, following: Following, *, signed: bool) -> Any:
    """One step over any number of tokens, as an ``onnx.ModelProto``; ``kept`` are the rows to judge."""
    graph = _Graph(weights, signed=signed)
    size = graph.width // graph.heads
    graph.input("tokens", [1, "new", graph.width])
    graph.input("kept", ["rows"], integers=True)
    x = "tokens"
    attention = []
    for layer in range(weights.layers("decoder")):
        scope = f"decoder/layer_{layer}"
        for name, length in (("cross", "heard"), ("past", "before")):
            for part in ("key", "value"):
                graph.input(f"{name}_{part}_{layer}", [1, graph.heads, length, size])
        x = graph.node("Add", x, graph.self_attention(x, scope, layer))
        query = graph.cross_query(x, scope)
        if layer in following:
            heads = following[layer]
            graph.input(f"following_key_{layer}", [1, len(heads), size, "heard"])
            attention.append(graph.scores(query, f"following_key_{layer}", heads))
        x = graph.node("Add", x, graph.cross_attention(query, scope, layer))
        x = graph.node("Add", x, graph.feed_forward(x, scope))
    graph.output("attention", graph.node("Concat", *attention, axis=1))
    x = graph.normalized(graph.node("Gather", x, "kept", axis=1), "decoder/layer_norm")
    graph.output("logits", graph.linear(x, "decoder/projection", bias=False))
    return graph.model()


class _Graph:
    """Nodes as they are added; names of values are given out in order."""

    def __init__(self, weights: Weights, *, signed: bool) -> None:
        import onnx  # noqa: PLC0415 - a large library, for the one time a model is prepared

        self._onnx = onnx
        self._weights = weights
        self._signed = signed
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[str] = []
        self.heads = weights.number("decoder/num_heads")
        self.width = int(weights.arrays["decoder/embeddings/weight"].shape[1])

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        return self.nodes(kind, inputs, 1, domain=domain, **attributes)[0]

    def nodes(
        self, kind: str, inputs: Sequence[str], outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """A node with so many outputs."""
        names = [f"{kind}_{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A value that the graph holds, once under each name."""
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def input(self, name: str, shape: Sequence[int | str], *, integers: bool = False) -> None:
        """What the graph is given; a name in ``shape`` is a length that varies."""
        kind = self._onnx.TensorProto.INT64 if integers else self._onnx.TensorProto.FLOAT
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))

    def output(self, name: str, value: str) -> None:
        """``value`` is told as ``name``."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(name)

    def model(self) -> Any:
        """All of it."""
        helper = self._onnx.helper
        floats = self._onnx.TensorProto.FLOAT
        outputs = [helper.make_tensor_value_info(name, floats, None) for name in self._outputs]
        graph = helper.make_graph(
            self._nodes, "whisper", self._inputs, outputs, list(self._constants.values())
        )
        imports = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)

    def linear(self, x: str, scope: str, *, bias: bool = True) -> str:
        """``x`` times a matrix of 8-bit integers: each row of ``x`` is brought to ±127 and back.

        What is multiplied is unsigned, around 128; the matrix signed or likewise: the same products
        either way, where the processor gets them right (``products.py``).

        A row of zeros comes back as zeros: whatever its integers are, they are multiplied with its loudest.
        """
        matrix = self._weights.floats(f"{scope}/weight")
        scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / _LEVELS
        kind = np.dtype(np.int8 if self._signed else np.uint8)
        middle = 0 if self._signed else _MIDDLE
        levels = (np.rint(matrix / scale[:, None]) + middle).astype(kind).T
        loudest = self.node("ReduceMax", self.node("Abs", x), self._last_axis(), keepdims=1)
        step = self.constant("step", np.array(1 / _LEVELS, np.float32))
        zero = self.constant("zero", np.array(_MIDDLE, np.uint8))
        y = self.node(
            "MatMulIntegerToFloat",
            self.node("QuantizeLinear", self.node("Div", x, loudest), step, zero),
            self.constant(f"{scope}/levels", levels),
            step,
            self.constant(f"{scope}/scale", scale.astype(np.float32)),
            zero,
            self.constant("zero weight", np.array(middle, kind)),
            domain=_CONTRIB,
        )
        y = self.node("Mul", y, loudest)
        return self.node("Add", y, self.floats(f"{scope}/bias")) if bias else y

    def self_attention(self, x: str, scope: str, layer: int | None = None) -> str:
        """Of the encoder; with ``layer`` of the decoder: what was before stays and is added to."""
        scope = f"{scope}/self_attention"
        threefold = self.linear(self.normalized(x, f"{scope}/layer_norm"), f"{scope}/linear_0")
        query, key, value = self.split(threefold, 3)
        if layer is None:
            y = self.node("MultiHeadAttention", query, key, value, domain=_CONTRIB, num_heads=self.heads)
            return self.linear(y, f"{scope}/linear_1")
        before = ["", "", "", f"past_key_{layer}", f"past_value_{layer}"]
        y, keys, values = self.nodes(
            "MultiHeadAttention",
            [query, key, value, *before],
            3,
            domain=_CONTRIB,
            num_heads=self.heads,
            unidirectional=1,
        )
        self.output(f"key_{layer}", keys)
        self.output(f"value_{layer}", values)
        return self.linear(y, f"{scope}/linear_1")

    def cross_query(self, x: str, scope: str) -> str:
        """What the decoder asks of what the encoder heard."""
        scope = f"{scope}/attention"
        return self.linear(self.normalized(x, f"{scope}/layer_norm"), f"{scope}/linear_0")

    def cross_attention(self, query: str, scope: str, layer: int) -> str:
        """Of the decoder to what the encoder heard."""
        heard = (f"cross_key_{layer}", f"cross_value_{layer}")
        y = self.node("MultiHeadAttention", query, *heard, domain=_CONTRIB, num_heads=self.heads)
        return self.linear(y, f"{scope}/attention/linear_2")

    def scores(self, query: str, keys: str, heads: Sequence[int]) -> str:
        """How much some heads attend to each frame, before softmax."""
        scale = self.constant("scale of scores", np.array((self.width // self.heads) ** -0.5, np.float32))
        return self.node("Mul", self.node("MatMul", self.heads_of(self.by_head(query), heads), keys), scale)

    def heads_of(self, x: str, heads: Sequence[int]) -> str:
        """Of (1, heads, …) some."""
        chosen = self.constant(f"heads {list(heads)}", np.array(heads, np.int64))
        return self.node("Gather", x, chosen, axis=1)

    def feed_forward(self, x: str, scope: str) -> str:
        """Out to four times the width and back."""
        scope = f"{scope}/ffn"
        y = self.linear(self.normalized(x, f"{scope}/layer_norm"), f"{scope}/linear_0")
        return self.linear(self.activated(y), f"{scope}/linear_1")

    def normalized(self, x: str, scope: str) -> str:
        """Layer normalization."""
        scale, shift = self.floats(f"{scope}/gamma"), self.floats(f"{scope}/beta")
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=_EPSILON)

    def activated(self, x: str) -> str:
        """GELU."""
        return self.node("Gelu", x, domain=_CONTRIB)

    def convolution(self, x: str, scope: str, *, stride: int) -> str:
        """Over three frames."""
        kernel, bias = self.floats(f"{scope}/weight"), self.floats(f"{scope}/bias")
        return self.node("Conv", x, kernel, bias, kernel_shape=[3], pads=[1, 1], strides=[stride])

    def first_rows(self, name: str, x: str) -> str:
        """As many rows of a variable as ``x``, shape (1, n, width), has."""
        start = self.constant("none", np.array([0]))
        return self.node("Slice", self.floats(name), start, self.node("Shape", x, start=1, end=2), start)

    def by_head(self, x: str) -> str:
        """(1, n, width) as (1, heads, n, size)."""
        shape = self.constant("by head", np.array([0, 0, self.heads, self.width // self.heads]))
        return self.node("Transpose", self.node("Reshape", x, shape), perm=[0, 2, 1, 3])

    def split(self, x: str, parts: int) -> list[str]:
        """``x`` in so many equal parts of its width."""
        return self.nodes("Split", [x], parts, axis=-1, num_outputs=parts)

    def floats(self, name: str) -> str:
        """A variable of the model that stays as it is."""
        return self.constant(name, self._weights.floats(name))

    def _last_axis(self) -> str:
        return self.constant("last axis", np.array([-1]))
