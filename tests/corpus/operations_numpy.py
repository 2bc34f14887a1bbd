"""Functions of `keras.ops.numpy` that `operations.py` does not show: arithmetic, statistics, shapes, windows, sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from corpus.model import Data, Random, Tensors, inside, integers, uniform

_SIGNED = uniform(-3, 3, 4, 5)
_POSITIVE = uniform(0.1, 4, 4, 5)
_SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0, 1.5, -2.5, 3e38)


def special(*shape: int) -> Data:
    """Numbers among which some are infinite and some none."""

    def draw(random: Random) -> Tensors:
        values = random.uniform(-3, 3, (64, *shape))
        return {"x": np.where(random.random(values.shape) < 0.5, values, random.choice(_SPECIAL, values.shape))}

    return draw


def holes(*shape: int) -> Data:
    """Numbers of which some are missing (NaN), but not the first along any axis but the batch."""

    def draw(random: Random) -> Tensors:
        values = random.uniform(-3, 3, (64, *shape))
        hole = random.random(values.shape) < 0.3
        for axis in range(1, values.ndim):
            hole[(slice(None),) * axis + (0,)] = False
        return {"x": np.where(hole, np.nan, values)}

    return draw


def _rows(function: Any) -> Any:
    """Of each row of the batch alone, for functions that know no batch."""
    return lambda *tensors: ops.vectorized_map(function, tensors[0])


MODELS = (
    inside(
        "arithmetic",
        lambda x, y: [
            ops.add(x, y),
            ops.subtract(x, y),
            ops.multiply(x, y),
            ops.divide(x, y + 4),
            ops.divide_no_nan(x, ops.relu(y)),
            ops.true_divide(x, 3),
        ],
        (4, 5),
        (4, 5),
    ),
    inside(
        "magnitudes",
        lambda x: [
            ops.absolute(x),
            ops.fabs(x),
            ops.negative(x),
            ops.square(x),
            ops.reciprocal(x + 4),
            ops.hypot(x, x + 1),
            ops.cbrt(x),
        ],
        (4, 5),
        data=_SIGNED,
    ),
    inside(
        "extremes_of_two",
        lambda x: [ops.minimum(x, 0.3), ops.fmax(x, 0.1), ops.fmin(x, -x), ops.fmod(x, 0.7), ops.heaviside(x, 0.5)],
        (4, 5),
        data=_SIGNED,
    ),
    inside("fmax_of_nothing", lambda x: [ops.fmax(x, 0.5), ops.fmin(x, 0.5)], (4, 5), data=holes(4, 5)),
    inside("ldexp", lambda x: ops.ldexp(x, ops.convert_to_tensor([-3, 0, 2, 5, 7])), (4, 5), data=_SIGNED),
    inside("signbit", lambda x: ops.signbit(x), (4, 5), data=special(4, 5)),
    inside("sinc_angles", lambda x: [ops.sinc(x), ops.deg2rad(x), ops.rad2deg(x)], (4, 5), data=_SIGNED),
    inside("logaddexp2", lambda x: [ops.logaddexp2(x, -x), ops.i0(x)], (4, 5), data=_SIGNED),
    inside("finite", lambda x: [ops.isfinite(x), ops.isinf(x), ops.isnan(x)], (4, 5), data=special(4, 5), fast=True),
    inside("infinite", lambda x: [ops.isposinf(x), ops.isneginf(x), ops.isreal(x)], (4, 5), data=special(4, 5)),
    inside(
        "nan_to_num",
        lambda x: [ops.nan_to_num(x), ops.nan_to_num(x, nan=1.0, posinf=2.0, neginf=-2.0)],
        (4, 5),
        data=special(4, 5),
        fast=True,
    ),
    inside(
        "where_infinite",
        lambda x: ops.where(ops.isinf(x), 7.0, ops.where(ops.isnan(x), 5.0, x)),
        (4, 5),
        data=special(4, 5),
    ),
    inside(
        "comparisons",
        lambda x, y: [
            ops.equal(x, y),
            ops.greater(x, y),
            ops.greater_equal(x, y),
            ops.less(x, y),
            ops.less_equal(x, y),
            ops.isclose(x, y, atol=0.5),
        ],
        (4, 5),
        (4, 5),
    ),
    inside("comparisons_of_special", lambda x: [x > 1, x <= 1, ops.equal(x, x), x != 1.5], (4, 5), data=special(4, 5)),
    inside("logic", lambda x: [ops.logical_not(x > 0), ops.logical_or(x > 1, x < -1)], (4, 5), data=_SIGNED),
    inside("allclose", lambda x: ops.where(ops.allclose(x, x + 1e-9), x, -x), (4, 5)),
    inside("extremes", lambda x: [ops.amax(x, 1), ops.amin(x, 2), ops.ptp(x, 1)], (4, 5), data=_SIGNED),
    inside("percentile", lambda x: [ops.percentile(x, 30, 2), ops.quantile(x, [0.2, 0.5], 1)[0]], (4, 5)),
    inside(
        "quantile_methods",
        lambda x: [ops.quantile(x, 0.35, 2, method=m) for m in ("lower", "higher", "midpoint", "nearest")],
        (4, 6),
    ),
    inside("count_nonzero", lambda x: ops.count_nonzero(ops.relu(x), axis=2), (4, 5), data=_SIGNED),
    inside("sum_mean_var", lambda x: [ops.sum(x, (1, 2)), ops.mean(x, 1), ops.var(x, 2, keepdims=True)], (4, 5)),
    inside(
        "nan_extremes",
        lambda x: [ops.nanmax(x, 1), ops.nanmin(x, 2), ops.nanargmax(x, 1), ops.nanargmin(x, 2)],
        (4, 5),
        data=holes(4, 5),
    ),
    inside(
        "nan_sums",
        lambda x: [ops.nansum(x, 1), ops.nanprod(x, 2), ops.nancumsum(x, 1), ops.nancumprod(x, 2)],
        (4, 5),
        data=holes(4, 5),
    ),
    inside("nan_moments", lambda x: [ops.nanmean(x, 1), ops.nanvar(x, 2), ops.nanstd(x, 1)], (4, 5), data=holes(4, 5)),
    inside("differences", lambda x: [ops.diff(x, axis=1), ops.diff(x, n=2, axis=2)], (4, 5)),
    inside("trapezoid", lambda x: [ops.trapezoid(x, axis=1), ops.trapezoid(x, dx=0.5, axis=2)], (4, 5)),
    inside("append", lambda x: [ops.append(x, x * 2, axis=1), ops.concatenate([x, -x], axis=-1)], (4, 5)),
    inside("array_split", lambda x: ops.array_split(x, 3, axis=2), (4, 5)),
    inside("splits", lambda x: [*ops.hsplit(x, 2), *ops.dsplit(x, [1, 3])], (4, 5)),
    inside("stacks", lambda x: [ops.hstack([x, x * 2]), ops.dstack([x, -x]), ops.unstack(x, axis=1)[1]], (4, 5)),
    inside("vstack", lambda x: ops.reshape(ops.vstack([x, x * 2])[: ops.shape(x)[0]], (-1, 5)), (5,)),
    inside("broadcast_to", lambda x: ops.broadcast_to(x[:, :, None], (ops.shape(x)[0], 5, 3)), (5,)),
    inside("flips", lambda x: [ops.fliplr(x), ops.flipud(ops.fliplr(x))[::-1]], (4, 5)),
    inside("moves", lambda x: [ops.moveaxis(x, 1, 3), ops.swapaxes(x, 1, 2), ops.squeeze(x[:, :1], 1)], (4, 5, 3)),
    inside("full", lambda x: [ops.full_like(x, 2.5) * x, ops.zeros_like(x) + x, ops.ones_like(x) - x], (4, 5)),
    inside(
        "ranges",
        lambda x: [x * ops.linspace(0.0, 1.0, 5), x + ops.logspace(0.0, 1.0, 5), x * ops.geomspace(1.0, 9.0, 5)],
        (4, 5),
    ),
    inside("unit_matrices", lambda x: [x @ ops.eye(5), x @ ops.identity(5), x @ ops.tri(5)], (4, 5)),
    inside("trace", lambda x: [ops.trace(x, axis1=1, axis2=2), ops.diagonal(x, 1, 1, 2)], (4, 4)),
    inside("diag", _rows(lambda r: ops.diag(r)), (4,)),
    inside("dot", lambda x: [ops.dot(x, ops.ones((5, 3))), ops.vdot(ops.ones((4,)), ops.ones((4,))) * x], (4, 5)),
    inside("vander", _rows(lambda r: ops.vander(r, 4)), (5,)),
    inside("correlate", _rows(lambda r: ops.correlate(r, ops.convert_to_tensor([0.5, 1.0, -1.0]), "same")), (8,)),
    inside("histogram", lambda x: ops.sum(x, 1) + ops.cast(ops.histogram(ops.arange(10.0), 4)[0][0], "float32"), (5,)),
    inside("select", lambda x: ops.select([x > 1, x < -1], [x * 2, x * 3], 0.5), (4, 5), data=_SIGNED),
    inside("rearrange", lambda x: ops.rearrange(x, "b (h w) c -> b h (w c)", h=2), (4, 5)),
    inside(
        "take_all",
        lambda x: [ops.take(x, [[0, 2], [1, 1]], axis=2), ops.take(x, -1, axis=1), ops.get_item(x, (slice(None), 1))],
        (4, 5),
    ),
    inside("take_negative", lambda x: ops.take(x, [-1, 0, -2], axis=1), (4, 5)),
    inside("ravel_size", lambda x: ops.reshape(ops.ravel(x), (-1, 20)) / ops.cast(ops.size(x[0]), "float32"), (4, 5)),
    inside(
        "pad_wrapped", lambda x: [ops.pad(x, ((0, 0), (1, 1), (2, 0)), mode="constant", constant_values=1.5)], (4, 5)
    ),
    inside("roll_many", lambda x: [ops.roll(x, (1, -2), axis=(1, 2)), ops.roll(x, 7, axis=2)], (4, 5)),
    inside("repeat_each", lambda x: [ops.repeat(x, [1, 0, 2, 1, 3], axis=2), ops.tile(x, (1, 3, 2))], (4, 5)),
    inside("cumulative_backwards", lambda x: ops.flip(ops.cumsum(ops.flip(x, 1), 1), 1), (4, 5)),
    inside("sort_descending", lambda x: [-ops.sort(-x, 1), ops.argsort(-x, 2)], (4, 5)),
    inside(
        "sort_integers",
        lambda x: [ops.sort(x), ops.max(x, 1), ops.argmax(x, 1)],
        (6,),
        dtype="int32",
        data=integers(-50, 50, 6, dtype="int32"),
    ),
    inside(
        "argmax_keepdims", lambda x: [ops.argmax(x, 1, keepdims=True), ops.argmin(ops.reshape(x, (-1, 20)), -1)], (4, 5)
    ),
    inside(
        "powers",
        lambda x: [ops.power(x, 3), ops.power(x, -1.5), ops.power(2.0, x), ops.exp2(x)],
        (4, 5),
        data=_POSITIVE,
    ),
    inside("powers_of_negative", lambda x: [ops.power(x, 3.0), ops.power(x, 2), x**2.0, x**-2], (4, 5), data=_SIGNED),
)
