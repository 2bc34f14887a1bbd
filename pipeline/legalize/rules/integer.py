"""Integer arithmetic: divisions, remainders, shifts and bits, where a target has none or gets them wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.legalize.registry import EVERY, FORMATS, ONNX, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter

_SIGN = -(2**31)


@rule("Abs", targets=(TFLITE,), why="The absolute value of a whole number is the larger of it and its negative.")
def absolute_integer(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return tf.maximum(x, -x) if x.dtype == tf.int64 else None


@rule("Sign", targets=FORMATS, why="The sign of an integer is the difference of two comparisons.")
def integer_sign(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if not x.dtype.is_integer:
        return None
    zero = tf.zeros_like(x)
    return tf.cast(x > zero, x.dtype) - tf.cast(x < zero, x.dtype)


@rule(
    "Minimum",
    targets=(TFLITE,),
    why="The smaller one by comparison: between 0 and 6 the converter takes integers for a Relu6, which they have not.",
)
def smaller_by_comparison(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    bounds = [rewriter.value(t) for t in (x, y)]
    if not x.dtype.is_integer or not any(b is not None and b.size and (b == 6).all() for b in bounds):
        return None
    return tf.where(x < y, x, y)


@rule("Pow", targets=(TFLITE,), why="A power with a small constant exponent is a product, by repeated squaring.")
def integer_power(rewriter: Rewriter, op: Any, x: Any, exponent: Any) -> Any:
    known = rewriter.value(exponent)
    if x.dtype != tf.int64 or known is None or known.size != 1 or not 1 <= int(known.item()) <= 62:
        return None
    power, result = int(known.item()), None
    while power:
        if power & 1:
            result = x if result is None else result * x
        x, power = x * x, power >> 1
    return result


@rule("AddN", targets=(ONNX,), why="The sum of several integers, one after the other: ONNX' Sum takes floats only.")
def add_integers(rewriter: Rewriter, op: Any, *terms: Any) -> Any:
    if not terms[0].dtype.is_integer:
        return None
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


@rule(
    "FloorDiv",
    targets=FORMATS,
    why="A quotient from float32, corrected until the remainder has the divisor's sign and is smaller than it.",
)
def floor_division(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return floor_divide(rewriter, x, y) if _needs_division(rewriter, x) else None


@rule(
    "FloorMod", targets=(ONNX, TFJS), why="x - floor(x / y) y, with an exact quotient, is the remainder's definition."
)
def floor_remainder(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return x - floor_divide(rewriter, x, y) * y if x.dtype in (tf.int32, tf.int64) else None


@rule("TruncateDiv", targets=(TFLITE, TFJS), why="Rounded towards zero: the floor, plus one where that rounds down.")
def truncated_division(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    return _truncate_divide(rewriter, x, y) if _needs_division(rewriter, x) else None


@rule("TruncateMod", targets=FORMATS, why="x - trunc(x / y) y, with an exact quotient, is the remainder's definition.")
def truncated_remainder(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if x.dtype not in (tf.int32, tf.int64):
        return None
    return x - _truncate_divide(rewriter, x, y) * y


@dataclass(frozen=True)
class Bits:
    """The bits of a float tensor, of which only the sign is asked for.

    Attributes:
        tensor: the float tensor.
        shape, dtype: of the bits.
    """

    tensor: Any
    dtype: Any = tf.int32

    @property
    def shape(self) -> Any:
        return self.tensor.shape


@rule("Bitcast", targets=EVERY, why="Only the sign is taken from the bits, which arithmetic tells.", structural=True)
def bits_of_float(rewriter: Rewriter, op: Any, x: Any) -> Any:
    if op.inputs[0].dtype != tf.float32 or op.outputs[0].dtype != tf.int32:
        return None
    readers = op.outputs[0].consumers()
    return Bits(x) if readers and all(_asks_for_sign(reader) for reader in readers) else None


@rule("BitwiseAnd", targets=EVERY, why="The sign bit is set for x < 0, and for a zero whose reciprocal is negative.")
def sign_bit(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    bits = x if isinstance(x, Bits) else y
    if not isinstance(bits, Bits):
        return None
    value = bits.tensor
    zero = tf.zeros_like(value)
    negative = tf.logical_or(value < zero, tf.logical_and(tf.equal(value, zero), 1.0 / value < zero))
    return tf.cast(negative, tf.int32) * rewriter.constant(np.array(_SIGN, np.int32))


@rule("Invert", targets=(TFLITE, TFJS), why="In two's complement ~x = -1 - x.")
def invert_bits(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return -1 - x if x.dtype in (tf.int32, tf.int64) else None


@rule("LeftShift", targets=FORMATS, why="A shift to the left is a product with a power of two, modulo the word.")
def shift_left(rewriter: Rewriter, op: Any, x: Any, count: Any) -> Any:
    if x.dtype not in (tf.int32, tf.int64):
        return None
    return x * _power_of_two(rewriter, x.dtype, count)


@rule(
    "RightShift", targets=FORMATS, why="An arithmetic shift to the right is a division by a power of two, rounded down."
)
def shift_right(rewriter: Rewriter, op: Any, x: Any, count: Any) -> Any:
    if x.dtype not in (tf.int32, tf.int64) or (rewriter.target == TFLITE and x.dtype == tf.int32):
        return None
    # The highest power is negative as a number: a shift by that many bits leaves the sign alone.
    highest = x.dtype.size * 8 - 1
    shifted = floor_divide(rewriter, x, _power_of_two(rewriter, x.dtype, tf.minimum(count, highest - 1)))
    known = rewriter.value(count)
    if known is not None and known.max(initial=0) < highest:
        return shifted
    sign = tf.where(x < 0, -tf.ones_like(x), tf.zeros_like(x))
    return tf.where(tf.equal(count, highest), sign, shifted)


@rule(
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    targets=(TFLITE, TFJS),
    why="Four bits at a time, looked up in a table of 256.",
)
def bits_by_table(rewriter: Rewriter, op: Any, x: Any, y: Any) -> Any:
    if not all(isinstance(t, tf.Tensor) for t in (x, y)):
        return None
    if x.dtype not in (tf.int32, tf.int64) or (rewriter.target, op.type, x.dtype) == (TFLITE, "BitwiseXor", tf.int32):
        return None
    operate: Callable[..., Any] = {"And": np.bitwise_and, "Or": np.bitwise_or, "Xor": np.bitwise_xor}[op.type[7:]]
    digits = np.arange(16)
    table = operate(digits[:, None], digits).ravel().astype(x.dtype.as_numpy_dtype)
    words = 8 if x.dtype == tf.int32 or rewriter.target == TFJS else 16
    result = None
    for position in range(words):
        (x, low), (y, other) = _halve(rewriter, x), _halve(rewriter, y)
        # The last digit has the sign.
        values = np.where(table < 8, table, table - 16) if position == words - 1 else table
        digit = tf.gather(rewriter.constant(values.astype(table.dtype)), tf.cast(low * 16 + other, tf.int32))
        term = digit * rewriter.constant(np.array(16**position, table.dtype))
        result = term if result is None else result + term
    return result


def _asks_for_sign(reader: Any) -> bool:
    known = [tf.get_static_value(t) for t in reader.inputs]
    return reader.type == "BitwiseAnd" and any(v is not None and v.size == 1 and v.item() == _SIGN for v in known)


def _needs_division(rewriter: Rewriter, x: Any) -> bool:
    return x.dtype == tf.int64 or (x.dtype == tf.int32 and rewriter.target != TFLITE)


def _truncate_divide(rewriter: Rewriter, x: Any, y: Any) -> Any:
    if rewriter.target == ONNX or (rewriter.target == TFLITE and x.dtype == tf.int32):
        return tf.raw_ops.TruncateDiv(x=x, y=y)
    quotient = floor_divide(rewriter, x, y)
    rest = x - quotient * y
    down = tf.logical_and(tf.not_equal(rest, 0), tf.math.logical_xor(x < 0, y < 0))
    return quotient + tf.cast(down, x.dtype)


def floor_divide(rewriter: Rewriter, x: Any, y: Any) -> Any:
    """floor(x / y) for int32 and int64.

    Each step takes the float32 quotient of what is left, which is wrong by a factor of at most 1 +- 2^-22, so that
    two steps leave less than one unit of a 31-bit quotient, and three of a 63-bit one.
    """
    if rewriter.target == TFLITE and x.dtype == tf.int32:
        return tf.math.floordiv(x, y)
    # The sign of a known divisor is not asked for at run time; in a loop, grappler loses the answer for TF.js.
    known = rewriter.value(y)
    positive = known is not None and bool((known > 0).all())
    if rewriter.target == ONNX:
        quotient = tf.raw_ops.TruncateDiv(x=x, y=y)
        rest = x - quotient * y
        return quotient - tf.cast(rest < 0 if positive else _other_side(rest, y), x.dtype)
    divisor = tf.cast(y, tf.float32)
    quotient, rest = None, x
    for _ in range(2 if x.dtype == tf.int32 or rewriter.target == TFJS else 3):
        step = tf.cast(tf.cast(rest, tf.float32) / divisor, x.dtype)
        quotient = step if quotient is None else quotient + step
        rest = x - quotient * y
    for _ in range(2):
        below = tf.cast(rest < 0 if positive else _other_side(rest, y), x.dtype)
        quotient, rest = quotient - below, rest + below * y
    if positive:
        return quotient + tf.cast(rest >= y, x.dtype)
    above = tf.logical_or(tf.logical_and(y > 0, rest >= y), tf.logical_and(y < 0, rest <= y))
    return quotient + tf.cast(above, x.dtype)


def _other_side(rest: Any, y: Any) -> Any:
    """The remainder is not zero and has not the divisor's sign."""
    return tf.logical_and(tf.not_equal(rest, 0), tf.math.logical_xor(rest < 0, y < 0))


def _power_of_two(rewriter: Rewriter, dtype: Any, count: Any) -> Any:
    bits = dtype.size * 8
    if rewriter.target == TFJS:
        bits = 32
    powers = (np.uint64(1) << np.arange(bits, dtype=np.uint64)).astype(f"uint{bits}").view(f"int{bits}")
    powers = powers.astype(dtype.as_numpy_dtype)
    known = rewriter.value(count)
    if known is not None:
        return rewriter.constant(powers[known.astype(np.int64)])
    return tf.gather(rewriter.constant(powers), tf.cast(count, tf.int32))


def _halve(rewriter: Rewriter, x: Any) -> tuple[Any, Any]:
    """x // 16 and x % 16."""
    sixteen = rewriter.constant(np.array(16, x.dtype.as_numpy_dtype))
    high = floor_divide(rewriter, x, sixteen)
    return high, x - high * sixteen


@rule("Select", targets=(TFJS,), why="A condition per row holds for all of the row.")
def select_rows(rewriter: Rewriter, op: Any, condition: Any, x: Any, y: Any) -> Any:
    rank = x.shape.rank
    if rank is None or condition.shape.rank != 1 or rank == 1:
        return None
    return tf.where(tf.reshape(condition, [-1] + [1] * (rank - 1)), x, y)
