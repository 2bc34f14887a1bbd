"""Fourier transforms as products with constant matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.complex_pair import Complex
from pipeline.legalize.registry import FORMATS, rule
from pipeline.legalize.shapes import product, reshape, sizes, transpose

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_WHY = (
    "The transform is a product with a constant matrix, formed in float64 and rounded once; a long one is split in two "
    "shorter ones (Cooley & Tukey, 1965), which errs less than the matrix does."
)
# A matrix of this size is small; above, transforms of a composite length are split.
_DIRECT = 128
_AXES = {"": 1, "2D": 2, "3D": 3}


@rule("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D", targets=FORMATS, why=_WHY, stand_in=Complex)
def complex_transform(rewriter: Rewriter, op: Any, z: Any) -> Any:
    for axis in range(-_AXES[op.type.partition("FFT")[2]], 0):
        z = _along(rewriter, z, axis, inverse=op.type.startswith("I"))
    return z


@rule("RFFT", "RFFT2D", "RFFT3D", targets=FORMATS, why=_WHY)
def real_transform(rewriter: Rewriter, op: Any, x: Any, lengths: Any) -> Any:
    wanted = _lengths(rewriter, lengths)
    for axis, length in zip(range(-len(wanted), 0), wanted, strict=True):
        x = _fit(x, axis, length)
    z = _along(rewriter, Complex(x, x, is_real=True), -1)
    bins = wanted[-1] // 2 + 1
    z = Complex(z.real[..., :bins], z.imag[..., :bins])
    for axis in range(-len(wanted), -1):
        z = _along(rewriter, z, axis)
    return z


@rule("IRFFT", "IRFFT2D", "IRFFT3D", targets=FORMATS, why=_WHY, stand_in=Complex)
def inverse_real_transform(rewriter: Rewriter, op: Any, z: Any, lengths: Any) -> Any:
    wanted = _lengths(rewriter, lengths)
    length = wanted[-1]
    for axis, size in zip(range(-len(wanted), 0), [*wanted[:-1], length // 2 + 1], strict=True):
        z = Complex(_fit(z.real, axis, size), _fit(z.imag, axis, size))
    for axis in range(-len(wanted), -1):
        z = _along(rewriter, z, axis, inverse=True)
    # The bins that a real signal's spectrum leaves out are the conjugates of the others, in reverse.
    mirrored = length - length // 2 - 1
    if not (isinstance(mirrored, int) and mirrored <= 0):
        real, imag = (tf.reverse(p[..., 1 : mirrored + 1], [-1]) for p in (z.real, z.imag))
        z = Complex(tf.concat([z.real, real], -1), tf.concat([z.imag, -imag], -1))
    return _along(rewriter, z, -1, inverse=True).real


def _lengths(rewriter: Rewriter, lengths: Any) -> list[Any]:
    """Lengths of a transform: ints where they are known, else scalar tensors."""
    if (known := rewriter.value(lengths)) is not None:
        return [int(n) for n in known]
    return tf.unstack(lengths)


def _fit(x: Any, axis: int, length: Any) -> Any:
    """Cut or pad with zeros to a length."""
    size = x.shape[axis]
    before = x.shape.rank + axis
    fixed = isinstance(length, int)
    if fixed and size == length:
        return x
    if not (fixed and size is not None and size > length):
        # Enough for any size; what is too much is cut.
        more = length - size if fixed and size is not None else length
        x = tf.pad(x, [[0, more if a == before else 0] for a in range(x.shape.rank)])
    x = x[(*[slice(None)] * before, slice(length))]
    if fixed:
        x.set_shape([length if a == before else d for a, d in enumerate(x.shape.as_list())])
    return x


def _along(rewriter: Rewriter, z: Complex, axis: int, inverse: bool = False) -> Complex:
    """The transform along one axis, the others flattened meanwhile."""
    rank = z.shape.rank
    order = [a for a in range(rank) if a != rank + axis] + [rank + axis]
    back = [order.index(a) for a in range(rank)]
    real = transpose(rewriter, z.real, order)
    dims = sizes(real)
    rows = [product(dims[:-1]), dims[-1]]
    imag = None if z.is_real else reshape(rewriter, transpose(rewriter, z.imag, order), rows)
    sign = 1.0 if inverse else -1.0
    transform = _transform if isinstance(dims[-1], int) else _transform_of_any_length
    parts = transform(rewriter, reshape(rewriter, real, rows), imag, sign)
    real, imag = (transpose(rewriter, reshape(rewriter, p, dims), back) for p in parts)
    return Complex(real, imag)


def _transform(rewriter: Rewriter, real: Any, imag: Any, sign: float) -> tuple[Any, Any]:
    """exp(sign 2 pi i j k / n) applied to rows of n, divided by n where the sign is positive."""
    length = real.shape[-1]
    first = _factor(length)
    if first == 1:
        return _by_matrix(rewriter, real, imag, sign)
    second = length // first

    def columns(part: Any) -> Any:
        return tf.reshape(tf.transpose(tf.reshape(part, [-1, first, second]), [0, 2, 1]), [-1, first])

    inner = _transform(rewriter, columns(real), None if imag is None else columns(imag), sign)
    turns = np.outer(np.arange(second), np.arange(first)) * (sign * 2 * math.pi / length)
    cos, sin = (rewriter.constant(f(turns).astype(real.dtype.as_numpy_dtype)) for f in (np.cos, np.sin))
    a, b = (tf.reshape(p, [-1, second, first]) for p in inner)

    def rows(part: Any) -> Any:
        return tf.reshape(tf.transpose(part, [0, 2, 1]), [-1, second])

    def ordered(part: Any) -> Any:
        return tf.reshape(tf.transpose(tf.reshape(part, [-1, first, second]), [0, 2, 1]), [-1, length])

    outer = _transform(rewriter, rows(a * cos - b * sin), rows(a * sin + b * cos), sign)
    return ordered(outer[0]), ordered(outer[1])


def _by_matrix(rewriter: Rewriter, real: Any, imag: Any, sign: float) -> tuple[Any, Any]:
    """One product: [re | im] times the matrix in blocks."""
    length = real.shape[-1]
    index = np.arange(length)
    turns = (np.outer(index, index) % length) * (sign * 2 * math.pi / length)
    scale = 1.0 / length if sign > 0 else 1.0
    cos, sin = np.cos(turns) * scale, np.sin(turns) * scale
    rows = [np.hstack([cos, sin])] + ([] if imag is None else [np.hstack([-sin, cos])])
    matrix = rewriter.constant(np.vstack(rows).astype(real.dtype.as_numpy_dtype))
    joint = tf.matmul(real if imag is None else tf.concat([real, imag], -1), matrix)
    return joint[:, :length], joint[:, length:]


def _transform_of_any_length(rewriter: Rewriter, real: Any, imag: Any, sign: float) -> tuple[Any, Any]:
    """The same with the matrix formed at run time."""
    length = tf.cast(tf.shape(real)[-1], real.dtype)
    index = tf.range(length)
    steps = index[:, None] * index[None, :]
    # Whole turns are left out while the number of steps is exact (up to 4096 rows), then those beyond half a turn.
    steps = steps - length * tf.floor(steps / length)
    steps = tf.where(steps > 0.5 * length, steps - length, steps)
    turns = steps * (sign * 2 * math.pi / length)
    scale = 1.0 / length if sign > 0 else tf.ones_like(length)
    cos, sin = tf.cos(turns) * scale, tf.sin(turns) * scale
    if imag is None:
        return tf.matmul(real, cos), tf.matmul(real, sin)
    return tf.matmul(real, cos) - tf.matmul(imag, sin), tf.matmul(real, sin) + tf.matmul(imag, cos)


def _factor(length: int) -> int:
    """The larger the smaller of two factors, the better; 1 where one matrix does."""
    if length <= _DIRECT:
        return 1
    return max(f for f in range(1, math.isqrt(length) + 1) if length % f == 0)
