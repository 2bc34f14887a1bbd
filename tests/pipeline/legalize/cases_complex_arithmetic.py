"""Complex tensors, made of two real inputs and taken apart again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from rule_cases import Case, function


def both(z: Any) -> Any:
    return tf.stack([tf.math.real(z), tf.math.imag(z)], -1)


def of(rule: str, name: str, call: Callable[[Any, Any], Any], shape: tuple[int, ...] = (3, 4)) -> Case:
    """A function of two complex tensors."""
    build = function(lambda a, b, c, d: call(tf.complex(a, b), tf.complex(c, d)), shape, shape, shape, shape)
    return Case(rule, name, build)


CASES: tuple[Case, ...] = (
    of("pair", "there and back", lambda z, w: both(z)),
    Case("pair", "broadcast", function(lambda a, b: both(tf.complex(a, b)), (3, 4), (1, 4))),
    of("on_each_part", "shapes", lambda z, w: both(tf.reshape(tf.transpose(z, [0, 2, 1])[:, 1:], [-1, 9]))),
    of("on_each_part", "linear", lambda z, w: both(tf.reduce_sum(z - tf.concat([w, -w, z], 1)[:, :3], 1))),
    of("shape_of_part", "any length", lambda z, w: both(tf.reshape(z, tf.shape(w)))),
    Case("cast_to_complex", "real", function(lambda x: both(tf.cast(x, tf.complex64) * tf.complex(1.0, 2.0)), (4,))),
    of("cast_from_complex", "real part", lambda z, w: tf.cast(z * w, tf.float32)),
    of("take_part", "imaginary", lambda z, w: tf.math.imag(z)),
    of("conjugate", "conjugate", lambda z, w: both(tf.math.conj(z))),
    of("conjugate_transpose", "matrix", lambda z, w: both(tf.transpose(z, [0, 2, 1], conjugate=True))),
    of("modulus", "modulus", lambda z, w: tf.abs(z)),
    of("angle", "angle", lambda z, w: tf.math.angle(z)),
    of("multiply", "two", lambda z, w: both(z * w)),
    of("multiply", "square and a constant", lambda z, w: both(tf.square(z) * tf.complex(0.5, -1.0))),
    of("divide", "two", lambda z, w: both(z / (w + tf.complex(4.0, 0.0)))),
    of("divide", "reciprocal", lambda z, w: both(tf.math.reciprocal(w + tf.complex(4.0, 0.0)))),
    of("exponential", "exponential", lambda z, w: both(tf.exp(z))),
    of("product_of_parts", "adjoint", lambda z, w: both(tf.matmul(z, w, adjoint_b=True))),
    of("product_of_parts", "einsum", lambda z, w: both(tf.einsum("bij,bij->bi", z, w))),
)
