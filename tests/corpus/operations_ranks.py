"""Tensors of many axes: more than the runtimes' kernels have."""

from __future__ import annotations

import numpy as np
from keras import layers, ops

from corpus.model import inside, operation

_FIVE, _SIX = (2, 3, 2, 3, 2), (2, 3, 2, 2, 3, 2)

MODELS = (
    inside(
        "transpose_six",
        lambda x: [ops.transpose(x, (0, 3, 1, 5, 2, 4)), ops.transpose(x, (0, 5, 4, 3, 2, 1))],
        _FIVE,
        fast=True,
    ),
    inside("transpose_seven", lambda x: ops.transpose(x, (0, 4, 2, 6, 1, 5, 3)), _SIX),
    inside("matmul_six", lambda x, y: ops.matmul(x, y), _FIVE, (2, 3, 2, 2, 3)),
    inside("matmul_seven_broadcast", lambda x, y: ops.matmul(x, y), _SIX, (1, 3, 1, 2, 2, 3)),
    inside(
        "broadcast_six",
        lambda x, y: [x + y, x * y, ops.maximum(x, y), x > y, ops.where(x > 0, x, y)],
        _FIVE,
        (2, 1, 2, 1, 2),
    ),
    inside(
        "reduce_six",
        lambda x: [ops.sum(x, (2, 4)), ops.mean(x, (1, 3, 5), keepdims=True), ops.max(x, 3), ops.argmax(x, 2)],
        _FIVE,
    ),
    inside("slice_six", lambda x: [x[:, :, 1:, ::2, :, 0], x[..., ::-1, :], ops.flip(x, 3)], _FIVE),
    inside(
        "concatenate_six", lambda x: [ops.concatenate([x, x * 2], 3), ops.stack([x, -x], 2), *ops.split(x, 3, 2)], _FIVE
    ),
    inside(
        "tile_six",
        lambda x: [
            ops.tile(x, (1, 2, 1, 2, 1, 1)),
            ops.repeat(x, 2, 3),
            ops.broadcast_to(x[:, :, None], (ops.shape(x)[0], 2, 4, 3, 2, 3, 2)),
        ],
        _FIVE,
    ),
    inside("pad_six", lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0), (1, 1), (0, 0))), _FIVE),
    inside("gather_six", lambda x: [ops.take(x, [1, 0, 1], 3), ops.cumsum(x, 2)], _FIVE),
    inside("einsum_of_windows", lambda x: ops.einsum("bhpwqc->bhwpqc", x), _FIVE),
    inside(
        "windows_of_windows",
        lambda x: ops.reshape(ops.transpose(ops.reshape(x, (-1, 2, 2, 2, 2, 3)), (0, 1, 3, 2, 4, 5)), (-1, 4, 4, 3)),
        (4, 4, 3),
    ),
    operation("dense_six", lambda x: layers.Dense(4, bias_initializer="ones")(x), _FIVE),
    operation("normalize_six", lambda x: [layers.LayerNormalization()(x), layers.BatchNormalization()(x)], _FIVE),
    operation(
        "attention_six",
        lambda x: layers.MultiHeadAttention(2, 3, attention_axes=(2, 4))(x, x),
        (2, 3, 2, 3, 4),
        fast=True,
    ),
    operation("attention_five", lambda x: layers.MultiHeadAttention(2, 3, attention_axes=(2, 3))(x, x), (2, 3, 2, 4)),
    inside("norm_six", lambda x: [ops.norm(x, axis=-1), ops.std(x, (1, 2)), ops.logsumexp(x, (2, 3))], _FIVE),
    inside(
        "matmul_constant_six", lambda x: ops.matmul(x, np.linspace(-1, 1, 8).reshape(2, 4).astype("float32")), _FIVE
    ),
    inside("one_hot_six", lambda x: ops.one_hot(ops.cast(x * 3, "int32"), 4), (2, 1, 2, 1, 2)),
    inside(
        "cast_and_clip_six",
        lambda x: [ops.clip(x, -0.5, 0.5), ops.cast(x, "int32"), ops.exp(x), ops.tanh(x), ops.abs(x)],
        _FIVE,
    ),
)
