"""Functions of `keras.ops` inside Functional models: what custom layers and losses of real models call."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from corpus.model import Shape, operation, uniform


class DynamicReshape(keras.layers.Layer):
    """A reshape to sizes that are known only in the graph."""

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (ops.shape(x)[0], ops.shape(x)[1] * 3)) * 2

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], None)


def _definite(x: Any) -> Any:
    return ops.matmul(x, ops.transpose(x, (0, 2, 1))) + 2 * ops.eye(4)


_SIGNED = uniform(-3, 3, 4, 5)
_POSITIVE = uniform(0.1, 4, 4, 5)
_SQUARE = uniform(-1, 1, 4, 4)
MODELS = (
    operation("sort", lambda x: ops.sort(x, axis=-1), (4, 7), fast=True),
    operation("argsort", lambda x: ops.argsort(x, axis=-1), (4, 7)),
    operation("top_k", lambda x: list(ops.top_k(x, 3)), (4, 7), fast=True),
    operation("in_top_k", lambda x: ops.in_top_k(ops.cast(ops.argmax(x * 2, -1), "int32"), x, 2), (7,)),
    operation("argmax", lambda x: [ops.argmax(x, 1), ops.argmin(x, -1)], (4, 7)),
    operation(
        "max_min_all_any",
        lambda x: [ops.max(x, 1), ops.min(x, (1, 2)), ops.all(x > 0.1, 1), ops.any(x > 0.9, 2)],
        (4, 7),
    ),
    operation("product_std", lambda x: [ops.prod(x + 0.5, 1), ops.std(x, 2), ops.median(x, 2)], (4, 5)),
    operation("quantile", lambda x: ops.quantile(x, 0.3, axis=2), (4, 5)),
    operation("logsumexp", lambda x: ops.logsumexp(x, axis=-1), (4, 5), data=_SIGNED),
    operation("cumulative", lambda x: [ops.cumsum(x, 1), ops.cumprod(x + 0.5, 2)], (4, 5)),
    operation(
        "trigonometry",
        lambda x: [ops.sin(x), ops.cos(x), ops.tan(x / 3), ops.arctan(x), ops.arctan2(x, x + 4)],
        (4, 5),
        data=_SIGNED,
        fast=True,
    ),
    operation(
        "inverse_trigonometry",
        lambda x: [ops.arcsin(x / 4), ops.arccos(x / 4), ops.arcsinh(x), ops.arccosh(x + 4.5), ops.arctanh(x / 4)],
        (4, 5),
        data=_SIGNED,
    ),
    operation("hyperbolic", lambda x: [ops.sinh(x), ops.cosh(x), ops.tanh(x)], (4, 5), data=_SIGNED),
    operation(
        "exponentials",
        lambda x: [ops.exp(x), ops.expm1(x), ops.exp2(x), ops.log1p(ops.abs(x)), ops.logaddexp(x, -x)],
        (4, 5),
        data=_SIGNED,
    ),
    operation(
        "logarithms",
        lambda x: [ops.log(x), ops.log2(x), ops.log10(x), ops.rsqrt(x), ops.sqrt(x)],
        (4, 5),
        data=_POSITIVE,
    ),
    operation("erf", lambda x: [ops.erf(x), ops.erfinv(x / 4)], (4, 5), data=_SIGNED),
    operation(
        "rounding", lambda x: [ops.floor(x), ops.ceil(x), ops.round(x), ops.trunc(x), ops.sign(x)], (4, 5), data=_SIGNED
    ),
    operation(
        "remainders",
        lambda x: [ops.mod(x, 0.7), ops.floor_divide(x, 0.7), ops.power(ops.abs(x), 1.7)],
        (4, 5),
        data=_SIGNED,
    ),
    operation(
        "clip_where",
        lambda x: [ops.clip(x, -1, 1), ops.where(x > 0, x, -2 * x), ops.maximum(x, 0.3), ops.nan_to_num(x)],
        (4, 5),
        data=_SIGNED,
    ),
    operation(
        "comparison",
        lambda x: [
            ops.logical_and(x > 0, x < 1),
            ops.logical_xor(x > 0, x > 1),
            ops.isfinite(x),
            ops.not_equal(x, 0.0),
        ],
        (4, 5),
        data=_SIGNED,
    ),
    operation("einsum", lambda x, y: ops.einsum("bij,bjk->bik", x, y), (4, 5), (5, 3), fast=True),
    operation("einsum_outer", lambda x, y: ops.einsum("bi,bj->bij", x, y), (4,), (5,)),
    operation("einsum_trace", lambda x: ops.einsum("bii->b", x), (4, 4)),
    operation("matmul", lambda x, y: ops.matmul(x, y), (2, 4, 5), (2, 5, 3)),
    operation("matmul_broadcast", lambda x, y: ops.matmul(x, y), (2, 4, 5), (1, 5, 3)),
    operation(
        "tensordot", lambda x: ops.tensordot(x, np.linspace(-1, 1, 30).reshape(5, 6).astype("float32"), axes=1), (4, 5)
    ),
    operation("outer_cross", lambda x, y: ops.cross(x, y), (4, 3), (4, 3)),
    operation("gather", lambda x: [ops.take(x, [3, 0, 1], axis=1), x[:, ::2, 1:], x[:, -1]], (4, 5)),
    operation("take_along_axis", lambda x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1), (4, 5)),
    operation(
        "scatter",
        lambda x: ops.transpose(ops.scatter_update(ops.transpose(x), [[0], [2]], ops.transpose(x[:, 1:3] * 2))),
        (4,),
    ),
    operation("slice_update", lambda x: ops.slice_update(x, [0, 1, 0], x[:, :2] * 2), (4, 5)),
    operation(
        "segment_sum",
        lambda x: ops.transpose(ops.segment_sum(ops.transpose(x), np.array([0, 0, 1, 2, 2]), num_segments=3)),
        (5,),
    ),
    operation("roll_flip", lambda x: [ops.roll(x, 2, axis=1), ops.flip(x, axis=2), ops.rot90(x, axes=(1, 2))], (4, 5)),
    operation("tile_repeat", lambda x: [ops.tile(x, (1, 2, 1)), ops.repeat(x, 3, axis=2)], (4, 5)),
    operation(
        "pad_modes",
        lambda x: [ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode=m) for m in ("constant", "reflect", "symmetric")],
        (4, 5),
    ),
    operation("stack_split", lambda x: [ops.stack([x, x * 2], axis=1), *ops.split(x, [1, 3], axis=1)], (4, 5)),
    operation("triangles", lambda x: [ops.tril(x), ops.triu(x, 1), ops.diagonal(x, axis1=1, axis2=2)], (4, 4)),
    operation(
        "meshgrid",
        lambda x: ops.stack(ops.meshgrid(ops.arange(3.0), ops.arange(4.0)), -1)[None] + x[:, None, None, :],
        (2,),
    ),
    operation(
        "one_hot", lambda x: ops.one_hot(x, 5), (4,), dtype="int32", data=lambda r: {"x": r.integers(0, 4, (64, 4))}
    ),
    operation(
        "bincount",
        lambda x: ops.bincount(x, minlength=5),
        (4,),
        dtype="int32",
        data=lambda r: {"x": r.integers(0, 4, (64, 4))},
    ),
    operation(
        "bitwise",
        lambda x: [ops.bitwise_and(x, x + 6), ops.bitwise_xor(x, x + 5), ops.left_shift(x, ops.ones_like(x))],
        (4,),
        dtype="int32",
        data=lambda r: {"x": r.integers(0, 99, (64, 4))},
    ),
    operation(
        "integer_arithmetic",
        lambda x: [x * 3 - 7, x // 4, ops.mod(x, 5), ops.abs(x - 50)],
        (4,),
        dtype="int32",
        data=lambda r: {"x": r.integers(0, 99, (64, 4))},
    ),
    operation(
        "searchsorted",
        lambda x: ops.reshape(ops.searchsorted(ops.convert_to_tensor([0.1, 0.4, 0.8]), ops.reshape(x, (-1,))), (-1, 5)),
        (5,),
    ),
    operation("digitize", lambda x: ops.digitize(x, np.array([0.1, 0.4, 0.8], "float32")), (4, 5)),
    operation("cholesky", lambda x: ops.cholesky(_definite(x)), (4, 4), data=_SQUARE, fast=True),
    operation("inverse", lambda x: ops.inv(_definite(x)), (4, 4), data=_SQUARE),
    operation("determinant", lambda x: ops.det(_definite(x)), (4, 4), data=_SQUARE),
    operation("solve", lambda x: ops.solve(_definite(x), x), (4, 4), data=_SQUARE),
    operation("triangular_solve", lambda x: ops.solve_triangular(_definite(x), x, lower=True), (4, 4), data=_SQUARE),
    operation(
        "norms",
        lambda x: [ops.norm(x, axis=-1), ops.norm(x, ord=1, axis=-1), ops.norm(x, ord="fro", axis=(1, 2))],
        (4, 5),
        data=_SIGNED,
    ),
    operation("eigh", lambda x: ops.eigh(_definite(x))[0], (4, 4), data=_SQUARE),
    operation("singular_values", lambda x: ops.svd(x, compute_uv=False), (4, 4), data=_SQUARE),
    operation("qr", lambda x: ops.abs(ops.qr(x)[1]), (4, 4), data=_SQUARE),
    operation("fft", lambda x, y: list(ops.fft((x, y))), (8,), (8,), fast=True),
    operation("ifft2", lambda x, y: list(ops.ifft2((x, y))), (4, 6), (4, 6)),
    operation("rfft", lambda x: list(ops.rfft(x)), (10,)),
    operation("irfft", lambda x, y: ops.irfft((x, y)), (6,), (6,)),
    operation("stft", lambda x: list(ops.stft(x, 16, 8, 16)), (64,)),
    operation("istft", lambda x: ops.istft(ops.stft(x, 16, 8, 16), 16, 8, 16), (64,)),
    operation("image_resize", lambda x: ops.image.resize(x, (7, 9), interpolation="bicubic"), (5, 6, 2)),
    operation(
        "image_affine",
        lambda x: ops.image.affine_transform(x, ops.convert_to_tensor([[1.0, 0.2, 0.3, -0.1, 0.9, 0.2, 0.0, 0.0]])[0]),
        (6, 6, 2),
    ),
    operation("rgb_to_hsv", lambda x: ops.image.rgb_to_hsv(x), (4, 4, 3)),
    operation("rgb_to_grayscale", lambda x: ops.image.rgb_to_grayscale(x), (4, 4, 3)),
    operation("extract_patches", lambda x: ops.image.extract_patches(x, 2), (6, 6, 3)),
    operation(
        "depth_to_space",
        lambda x: ops.nn.depth_to_space(x, 2) if hasattr(ops.nn, "depth_to_space") else ops.reshape(x, (-1, 6, 6, 1)),
        (3, 3, 4),
    ),
    operation("moments", lambda x: list(ops.moments(x, axes=[1, 2])), (4, 5)),
    operation(
        "dot_product_attention", lambda q, k, v: ops.dot_product_attention(q, k, v), (5, 2, 4), (6, 2, 4), (6, 2, 4)
    ),
    operation("dynamic_shape", lambda x: DynamicReshape()(x), (None, 3)),
    operation("vectorized_map", lambda x: ops.vectorized_map(lambda r: ops.cumsum(r) * ops.max(r), x), (5,)),
    operation("map", lambda x: ops.map(lambda r: ops.sum(r) * r, x), (5,)),
)
