"""Complex tensors as pairs of real ones. What changes each part alone comes first, then what mixes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.legalize.complex_pair import Complex
from pipeline.legalize.emit import promote
from pipeline.legalize.registry import FORMATS, rule

if TYPE_CHECKING:
    from pipeline.legalize.rewriter import Rewriter


@rule(
    *("Reshape", "Transpose", "ExpandDims", "Squeeze", "ConcatV2", "Pack", "Unpack", "Split", "SplitV", "Tile"),
    *("StridedSlice", "Slice", "GatherV2", "GatherNd", "Pad", "ReverseV2", "Roll", "BroadcastTo", "SelectV2"),
    *("Add", "AddV2", "AddN", "Sub", "Neg", "Sum", "Mean", "Cumsum", "ZerosLike", "MatrixDiagV3", "MatrixDiagPartV3"),
    targets=FORMATS,
    why="The operation acts on real and imaginary parts alike: they are rewritten one after the other.",
    stand_in=Complex,
)
def on_each_part(rewriter: Rewriter, op: Any, *inputs: Any) -> Any:
    real = rewriter.replace(op, [t.real if isinstance(t, Complex) else t for t in inputs])
    imag = rewriter.replace(op, [t.imag if isinstance(t, Complex) else t for t in inputs])
    is_real = all(t.is_real for t in inputs if isinstance(t, Complex))
    return [Complex(*parts, is_real) for parts in zip(real, imag, strict=True)]


@rule("Shape", "Size", "Rank", targets=FORMATS, why="The parts have the tensor's shape.", stand_in=Complex)
def shape_of_part(rewriter: Rewriter, op: Any, z: Any) -> Any:
    return rewriter.replace(op, [z.real])


@rule("Complex", targets=FORMATS, why="A complex tensor is the pair of its parts.")
def pair(rewriter: Rewriter, op: Any, real: Any, imag: Any) -> Any:
    shape = tf.broadcast_static_shape(real.shape, imag.shape)
    if real.shape == imag.shape and shape.is_fully_defined():
        return Complex(real, imag)
    return Complex(real + tf.zeros_like(imag), imag + tf.zeros_like(real))


@rule("Cast", targets=FORMATS, why="A real number is a complex one without an imaginary part.")
def cast_to_complex(rewriter: Rewriter, op: Any, x: Any) -> Any:
    kind = op.outputs[0].dtype
    if not kind.is_complex:
        return None
    real = tf.cast(x, promote(kind, rewriter.target))
    return Complex(real, tf.zeros_like(real), is_real=True)


@rule("Cast", targets=FORMATS, why="A cast to a real type keeps the real part.", stand_in=Complex)
def cast_from_complex(rewriter: Rewriter, op: Any, z: Any) -> Any:
    kind = op.outputs[0].dtype
    return z if kind.is_complex else tf.cast(z.real, promote(kind, rewriter.target))


@rule("Real", "Imag", targets=FORMATS, why="A part is one of the pair.", stand_in=Complex)
def take_part(rewriter: Rewriter, op: Any, z: Any) -> Any:
    return z.real if op.type == "Real" else z.imag


@rule("Conj", targets=FORMATS, why="The imaginary part changes its sign.", stand_in=Complex)
def conjugate(rewriter: Rewriter, op: Any, z: Any) -> Any:
    return Complex(z.real, -z.imag, z.is_real)


@rule("ConjugateTranspose", targets=FORMATS, why="A transposition, and a change of sign.", stand_in=Complex)
def conjugate_transpose(rewriter: Rewriter, op: Any, z: Any, permutation: Any) -> Any:
    return Complex(tf.transpose(z.real, permutation), -tf.transpose(z.imag, permutation), z.is_real)


@rule("ComplexAbs", targets=FORMATS, why="|z| = sqrt(re^2 + im^2).", stand_in=Complex)
def modulus(rewriter: Rewriter, op: Any, z: Any) -> Any:
    return tf.sqrt(tf.square(z.real) + tf.square(z.imag))


@rule("Angle", targets=FORMATS, why="The angle of the point (re, im).", stand_in=Complex)
def angle(rewriter: Rewriter, op: Any, z: Any) -> Any:
    return tf.atan2(z.imag, z.real)


@rule("Mul", "Square", targets=FORMATS, why="(a + bi)(c + di) = (ac - bd) + (ad + bc)i.", stand_in=Complex)
def multiply(rewriter: Rewriter, op: Any, x: Any, *rest: Any) -> Any:
    return _multiply(x, rest[0] if rest else x)


@rule("RealDiv", "Reciprocal", targets=FORMATS, why="x / y = x conj(y) / |y|^2.", stand_in=Complex)
def divide(rewriter: Rewriter, op: Any, x: Any, *rest: Any) -> Any:
    y = rest[0] if rest else x
    square = tf.square(y.real) + tf.square(y.imag)
    inverse = Complex(y.real / square, -y.imag / square, y.is_real)
    return _multiply(x, inverse) if rest else inverse


@rule("Exp", targets=FORMATS, why="exp(a + bi) = exp(a) (cos b + i sin b).", stand_in=Complex)
def exponential(rewriter: Rewriter, op: Any, z: Any) -> Any:
    size = tf.exp(z.real)
    return Complex(size * tf.cos(z.imag), size * tf.sin(z.imag), z.is_real)


@rule(
    "MatMul",
    "BatchMatMul",
    "BatchMatMulV2",
    "Einsum",
    targets=FORMATS,
    why="A product that is linear in both operands is four products of their parts.",
    stand_in=Complex,
)
def product_of_parts(rewriter: Rewriter, op: Any, x: Any, *rest: Any) -> Any:
    if len(rest) != 1:
        return on_each_part(rewriter, op, x) if not rest else None
    x, y = _adjoint(op, "adj_x", x), _adjoint(op, "adj_y", rest[0])

    def product(a: Any, b: Any) -> Any:
        return rewriter.replace(op, [a, b])[0]

    real = product(x.real, y.real) - product(x.imag, y.imag)
    return Complex(real, product(x.real, y.imag) + product(x.imag, y.real))


def _multiply(x: Complex, y: Complex) -> Complex:
    if x.is_real:
        return Complex(x.real * y.real, x.real * y.imag, y.is_real)
    if y.is_real:
        return Complex(x.real * y.real, x.imag * y.real)
    return Complex(x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real)


def _adjoint(op: Any, attribute: str, z: Complex) -> Complex:
    """The operand conjugated where the product transposes and conjugates it: the parts' product only transposes."""
    adjoint = attribute in op.node_def.attr and op.get_attr(attribute)
    return Complex(z.real, -z.imag, z.is_real) if adjoint else z
