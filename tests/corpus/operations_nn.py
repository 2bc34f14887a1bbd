"""Functions of `keras.ops.nn` and `keras.ops.core` as custom layers call them: on weights as arguments, in loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from corpus.model import inside, uniform

_SIGNED = uniform(-3, 3, 4, 5)
_SEQUENCE, _IMAGE, _VOLUME = (9, 3), (8, 7, 3), (5, 6, 4, 3)


def _weights(*shape: int) -> Any:
    values = np.random.default_rng(0).normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
    return values.astype("float32")


def _branch_of_the_batch(x: Any) -> Any:
    """Which branch a row takes depends on the rows that it shares a batch with."""
    return ops.switch(ops.cast(ops.sum(ops.abs(x)) > 3, "int32"), [lambda v: 2 * v, ops.tanh], x)


def _read_out(x: Any) -> Any:
    labels, scores = ops.ctc_decode(x, ops.zeros_like(x[:, 0, 0], dtype="int32") + 6)
    return [labels[0], scores]


MODELS = (
    inside("branch_of_the_batch", _branch_of_the_batch, (4,)),
    inside("ctc_decode", _read_out, (6, 5)),
    inside("rfft_open_fitted", lambda x: list(ops.rfft(x, 16)), (None,)),
    inside("rfft_irfft_open", lambda x: ops.irfft(ops.rfft(x)), (None,)),
    inside(
        "activations",
        lambda x: [
            ops.celu(x),
            ops.glu(x[..., :4]),
            ops.hard_shrink(x),
            ops.hard_silu(x),
            ops.hard_swish(x),
            ops.hard_tanh(x),
            ops.leaky_relu(x),
            ops.log_sigmoid(x),
        ],
        (4, 5),
        data=_SIGNED,
    ),
    inside(
        "more_activations",
        lambda x: [
            ops.log_softmax(x),
            ops.soft_shrink(x),
            ops.sparse_plus(x),
            ops.sparse_sigmoid(x),
            ops.squareplus(x),
            ops.tanh_shrink(x),
            ops.threshold(x, 0.5, -1),
            ops.softmax(x, 1),
        ],
        (4, 5),
        data=_SIGNED,
    ),
    inside("erfc", lambda x: ops.erfc(x), (4, 5), data=_SIGNED),
    inside(
        "conv_1d",
        lambda x: [ops.conv(x, _weights(3, 3, 4), 1, "same"), ops.conv(x, _weights(3, 3, 4), 2, "valid")],
        _SEQUENCE,
    ),
    inside(
        "conv_2d",
        lambda x: [
            ops.conv(x, _weights(3, 2, 3, 4), 1, "same"),
            ops.conv(x, _weights(3, 3, 3, 4), 1, "valid", dilation_rate=2),
        ],
        _IMAGE,
    ),
    inside("conv_3d", lambda x: ops.conv(x, _weights(2, 2, 2, 3, 4), 1, "same"), _VOLUME),
    inside(
        "conv_transpose",
        lambda x: [
            ops.conv_transpose(x, _weights(3, 3, 4, 3), 2, "same"),
            ops.conv_transpose(x, _weights(3, 3, 4, 3), 2, "valid"),
        ],
        _IMAGE,
    ),
    inside(
        "depthwise_conv",
        lambda x: [
            ops.depthwise_conv(x, _weights(3, 3, 3, 2), 1, "same"),
            ops.separable_conv(x, _weights(3, 3, 3, 2), _weights(1, 1, 6, 4), 1, "valid"),
        ],
        _IMAGE,
    ),
    inside(
        "pooling",
        lambda x: [ops.max_pool(x, 2, 2, "same"), ops.average_pool(x, 3, 1, "same"), ops.max_pool(x, 3, 2, "valid")],
        _IMAGE,
    ),
    inside("pooling_1d", lambda x: [ops.max_pool(x, 2, 2, "same"), ops.average_pool(x, 3, 2, "same")], _SEQUENCE),
    inside(
        "adaptive_pooling", lambda x: [ops.adaptive_average_pool(x, (3, 2)), ops.adaptive_max_pool(x, (4, 4))], _IMAGE
    ),
    inside(
        "normalizations",
        lambda x: [
            ops.layer_normalization(x, np.ones(5, "float32"), np.zeros(5, "float32"), epsilon=1e-3),
            ops.rms_normalization(x, np.ones(5, "float32")),
            ops.normalize(x, -1),
            ops.normalize(x, 1, order=1),
        ],
        (4, 5),
        data=_SIGNED,
    ),
    inside(
        "batch_normalization",
        lambda x: ops.batch_normalization(x, _weights(5), ops.abs(_weights(5)) + 1, -1, _weights(5), _weights(5)),
        (4, 5),
    ),
    inside(
        "cross_entropies",
        lambda x, y: [
            ops.binary_crossentropy(y, x),
            ops.categorical_crossentropy(ops.softmax(y), x, from_logits=True),
            ops.sparse_categorical_crossentropy(ops.argmax(y, -1), x, from_logits=True),
        ],
        (4, 5),
        (4, 5),
    ),
    inside(
        "space_to_depth",
        lambda x: [ops.space_to_depth(x, 2), ops.depth_to_space(ops.space_to_depth(x, 2), 2)],
        (6, 4, 3),
    ),
    inside(
        "one_hot_multi_hot",
        lambda x: [ops.multi_hot(x, 6), ops.one_hot(x, 6, axis=1), ops.one_hot(x, 6, dtype="int32")],
        (4,),
        dtype="int32",
        data=lambda r: {"x": r.integers(0, 6, (64, 4))},
    ),
    inside(
        "one_hot_outside",
        lambda x: ops.one_hot(x, 3),
        (4,),
        dtype="int32",
        data=lambda r: {"x": r.integers(-1, 6, (64, 4))},
    ),
    inside(
        "segments",
        lambda x: [
            ops.transpose(f(ops.transpose(x), np.array([0, 2, 1, 2, 0]), num_segments=3))
            for f in (ops.segment_max, ops.segment_min, ops.segment_prod)
        ],
        (5,),
    ),
    inside(
        "scan",
        lambda x: ops.transpose(
            ops.scan(lambda c, r: (c * 0.5 + r, c), ops.zeros_like(x[:, 0]), ops.transpose(x, (1, 0, 2)))[1], (1, 0, 2)
        ),
        (6, 3),
    ),
    inside("fori_loop", lambda x: ops.fori_loop(0, 4, lambda i, c: c * 0.5 + ops.cast(i, "float32"), x), (4, 5)),
    inside(
        "while_loop",
        lambda x: ops.while_loop(lambda i, c: i < 5, lambda i, c: (i + 1, ops.tanh(c) * 1.2), (0, x))[1],
        (4, 5),
    ),
    inside("cond", lambda x: ops.cond(ops.sum(x) > -1e6, lambda: x * 2, lambda: x - 1), (4, 5)),
    inside(
        "cond_in_loop",
        lambda x: ops.fori_loop(0, 4, lambda i, c: ops.cond(i % 2 == 0, lambda: c * 0.5, lambda: c + 1.0), x),
        (4, 5),
    ),
    inside(
        "switch",
        lambda x: ops.switch(
            ops.cast(ops.sum(x * 0) + 1, "int32"), [lambda v: v * 2, lambda v: v - 1, lambda v: v * v], x
        ),
        (4, 5),
    ),
    inside(
        "slice",
        lambda x: [ops.slice(x, (0, 1, 2), (ops.shape(x)[0], 2, 3)), x[..., None, 1:-1], x[:, 1, ::-2]],
        (4, 5),
    ),
    inside("extract_sequences", lambda x: ops.extract_sequences(x, 4, 2), (10,)),
    inside("in_top_k_of_integers", lambda x, y: ops.in_top_k(ops.cast(ops.argmax(y, -1), "int32"), x, 3), (7,), (7,)),
    inside(
        "lstm_by_hand",
        lambda x: ops.scan(
            lambda c, r: (ops.tanh(r @ _weights(3, 4) + c @ _weights(4, 4)), None),
            ops.zeros_like(x[:, 0] @ _weights(3, 4)),
            ops.transpose(x, (1, 0, 2)),
        )[0],
        (6, 3),
    ),
    inside(
        "attention_masked",
        lambda q, k, v: [
            ops.dot_product_attention(q, k, v, is_causal=True),
            ops.dot_product_attention(q, k, v, mask=np.tril(np.ones((1, 1, 5, 5), bool))),
        ],
        (5, 2, 4),
        (5, 2, 4),
        (5, 2, 4),
    ),
    inside(
        "logits_by_temperature",
        lambda x: ops.softmax(x / 0.1) * ops.cast(ops.top_k(x, 2)[0][..., -1:] <= x, "float32"),
        (4, 5),
    ),
)
