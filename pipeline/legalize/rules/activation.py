"""Activations and special functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.registry import ONNX, TFJS, TFLITE, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    "Erfc",
    targets=(ONNX, TFJS),
    why="erfc(x) = 1 - erf(x); the absolute error stays within one unit roundoff of 1, which is what GELU multiplies.",
)
def erfc_by_erf(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return 1.0 - tf.math.erf(x)


@rule(
    "Erfc",
    targets=(TFLITE,),
    why="Where it is not the GELU pattern (a builtin), erfc = 1 - erf by a rational function good to 4 ULP of 1.",
)
def erfc_rational(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return None if _inside_gelu(op) else 1.0 - _erf(x)


@rule(
    "Erf",
    targets=(TFLITE,),
    why="The float32 rational minimax approximation of Eigen, odd by construction, within 4 ULP of 1.",
)
def erf_rational(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return _erf(x)


@rule("Softsign", targets=(ONNX, TFJS), why="softsign(x) = x / (1 + |x|) is its definition.")
def softsign_by_definition(rewriter: Rewriter, op: Any, x: Any) -> Any:
    return x / (1.0 + tf.abs(x))


_CLAMPS = ("Relu", "Relu6")


def _inside_gelu(op: Any) -> bool:
    """0.5 * x * erfc(-x / sqrt(2)), the form that the TFLite converter turns into its GELU."""
    readers = op.outputs[0].consumers()
    argument = _scaled(op.inputs[0].op, -(0.5**0.5))
    if argument is None or len(readers) != 1 or readers[0].type != "Mul":
        return False
    if any(reader.type in _CLAMPS for reader in readers[0].outputs[0].consumers()):
        return False  # the converter joins the product and the clamp first, and then knows no GELU
    return any(_same(_scaled(t.op, 0.5), argument) for t in readers[0].inputs if t is not op.outputs[0])


def _scaled(maker: Any, factor: float) -> Any:
    """The tensor that an operation multiplies by this scalar; a minus may stand in an operation of its own."""
    if maker.type != "Mul":
        return None
    for scalar, other in (maker.inputs, reversed(maker.inputs)):
        value = tf.get_static_value(scalar)
        if value is None or value.size != 1:
            continue
        if abs(float(value.item()) - factor) < 1e-4:
            return other
        if other.op.type == "Neg" and abs(float(value.item()) + factor) < 1e-4:
            return other.op.inputs[0]
    return None


def _same(a: Any, b: Any) -> bool:
    return a is not None and a.name == b.name


# Numerator and denominator of erf(x) / x in x^2 on [-4, 4], highest power first: Eigen,
# unsupported/Eigen/src/SpecialFunctions (generic_fast_erf_float).
_ERF_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def _erf(x: Any) -> Any:
    x = tf.clip_by_value(x, -4.0, 4.0)
    square = x * x
    return x * _horner(square, _ERF_P) / _horner(square, _ERF_Q)


def _horner(x: Any, coefficients: tuple[float, ...]) -> Any:
    result = coefficients[0] * tf.ones_like(x)
    for c in coefficients[1:]:
        result = result * x + c
    return result
