"""What a converter's refusal means to the user: which operations, from which layers, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipeline.capture import Capture
from pipeline.errors import LegalizationError, Obstacle
from pipeline.legalize import Legalized

_RULE = "Use operations that the format has, or add a rule (docs/legalization.md)."

# What helps, by operation type; the first pattern that fits.
_ADVICE = tuple(
    (re.compile(pattern), advice)
    for pattern, advice in (
        (
            r"String|StaticRegex|Regex|AsString|Substr|Unicode|ReduceJoin|DecodeBase64|EncodeBase64",
            "Pass --split: it keeps the text processing as a SavedModel, and exports the part behind it everywhere.",
        ),
        (r".*Py(Func|FuncStateless)", "Python code runs in no other runtime: write it with keras.ops."),
        (r"(Stateless)?(Random|Truncated|Multinomial|Parameterized)", "Make the layer honour training=False."),
        (
            r"I?R?FFT|Complex|Real$|Imag$|Angle$|Conj$",
            "Keep real and imaginary parts as two real tensors, with static sizes on the transformed axes.",
        ),
        (
            r"(Batch)?(Svd|Qr|SelfAdjointEig|Eig|Cholesky|Matrix(Inverse|Determinant|Solve|TriangularSolve)|Lu$|"
            r"LogMatrixDeterminant)",
            "Only small matrices of static size can be written out: compute it in front of the model or behind it.",
        ),
        (
            r"SparseCross",
            "Cross in front of the model, or with arithmetic: the first number times the second's bins, plus it.",
        ),
        (r"Sparse|Ragged", "Give the model dense tensors: pad them, and mask what is padding."),
        (
            r"Unique|Where$|DynamicPartition|NonMaxSuppression|BooleanMask",
            "The size of its result depends on values: keep a static size and mask, or do it behind the model.",
        ),
        (r"Assign|VarHandle|ReadVariable|VarIsInitialized", "Inference must not change state: return it as an output."),
        (r".*Image|.*(Jpeg|Png|Gif|Bmp)", "Decode images in front of the model."),
    )
)


def advise(op: str) -> str:
    """What the user can do about an operation type that a format lacks."""
    return next((advice for pattern, advice in _ADVICE if pattern.match(op)), _RULE)


def unsupported(
    capture: Capture,
    legal: Legalized,
    operations: Sequence[str],
    reason: str,
    scopes: Mapping[str, Sequence[str]] | None = None,
) -> LegalizationError:
    """The error for a converter's refusal.

    Args:
        capture: what was legalized.
        legal: what the converter was given.
        operations: TensorFlow operation types that it named; may be empty.
        reason: its own words, or ours.
        scopes: name scopes that it gave for an operation type itself.
    """
    from pipeline.legalize.reachable import locate

    found: dict[str, dict[str, None]] = {op: {} for op in operations}
    for op, given in (scopes or {}).items():
        found.setdefault(op, {}).update(dict.fromkeys(capture.layers.of(scope) for scope in given))
    for op, scope in locate(legal.concrete.graph, found):
        found[op][capture.layers.of(scope)] = None
    obstacles = [Obstacle(op, tuple(layers), reason, advise(op)) for op, layers in found.items()]
    return LegalizationError.of(legal.target, obstacles or [Obstacle("", (), reason, _RULE)])
