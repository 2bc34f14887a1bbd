"""Signatures of :classify and :regress, and their outputs as classes with scores and as numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serving.errors import FailedPrecondition, InvalidArgument
from serving.signature import DEFAULT_SIGNATURE, Signature

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}

Tensors = Mapping[str, np.ndarray]
# By row, the classes as pairs of label and score.
Classes = list[list[tuple[bytes, float]]]


def find(signatures: Mapping[str, Signature], name: str, method: str) -> Signature:
    """The signature of a :classify or :regress.

    Args:
        name: empty for the default.
        method: CLASSIFY or REGRESS.

    Raises:
        InvalidArgument: there is none of that name, or it is for another method.
        FailedPrecondition: it has other inputs or outputs than the method asks for.
    """
    signature = signatures.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        raise InvalidArgument(f"No signature was found with the name: {name or DEFAULT_SIGNATURE}")
    check(signature, method)
    return signature


def check(signature: Signature, method: str) -> None:
    """A signature serves a method.

    Raises:
        InvalidArgument, FailedPrecondition: it does not.
    """
    kind = _KINDS[method]
    if signature.method != method:
        raise InvalidArgument(f"Expected {kind} signature method_name to be {method}. Was: {signature.method}")
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    outputs = {t.name for t in signature.outputs}
    if method == REGRESS and len(outputs) != 1:
        raise InvalidArgument("Expected one output Tensor.")
    if method == CLASSIFY and len(outputs) not in (1, 2):
        raise InvalidArgument(f"Expected one or two output Tensors, found {len(outputs)}")
    if signature.inputs[0].name != _INPUTS:
        raise FailedPrecondition(f"No {kind} inputs found in SignatureDef: {signature.name}")
    if method == REGRESS and outputs != {_OUTPUTS}:
        raise FailedPrecondition(f"No regression outputs found in SignatureDef: {signature.name}")
    if method == CLASSIFY and not outputs & {_CLASSES, _SCORES}:
        raise FailedPrecondition(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
            f"Signature was: {signature.name}"
        )


def classes(outputs: Tensors, rows: int) -> Classes:
    """The outputs of a classification.

    Raises:
        InvalidArgument: a tensor is not of the shape [rows, classes], or of another type.
    """
    labels, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    for value, name, dtype, is_right in (
        (labels, _CLASSES, "DT_STRING", _is_string),
        (scores, _SCORES, "DT_FLOAT", _is_float),
    ):
        if value is None:
            continue
        if value.ndim != 2:
            raise InvalidArgument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(value)}")
        if not is_right(value):
            raise InvalidArgument(f"Expected {name} Tensor of {dtype}. Got: {value.dtype}")
        if len(value) != rows:
            raise InvalidArgument(f"Expected {name} output batch size of {rows}. Got: {len(value)}")
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise InvalidArgument(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    some = labels if scores is None else scores
    assert some is not None  # the signature has one of them
    named = [[b""] * some.shape[1]] * rows if labels is None else labels.tolist()
    scored = [[0.0] * some.shape[1]] * rows if scores is None else scores.tolist()
    return [list(zip(n, s, strict=True)) for n, s in zip(named, scored, strict=True)]


def regressions(outputs: Tensors, rows: int) -> np.ndarray:
    """The output of a regression; float32 [rows].

    Raises:
        InvalidArgument: the tensor is not of the shape [rows] or [rows, 1], or of another type.
    """
    value = outputs[_OUTPUTS]
    if not (value.ndim == 1 or (value.ndim == 2 and value.shape[1] == 1)):
        raise InvalidArgument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(value)}"
        )
    if len(value) != rows:
        raise InvalidArgument(f"Input batch size did not match output batch size: {rows} vs. {len(value)}")
    if not _is_float(value):
        raise InvalidArgument(f"Expected output Tensor of DT_FLOAT.  Got: {value.dtype}")
    return value.reshape(-1)


def _is_string(value: np.ndarray) -> bool:
    return value.dtype == object


def _is_float(value: np.ndarray) -> bool:
    return value.dtype == np.float32


def _shape(value: np.ndarray) -> str:
    return "[" + ",".join(map(str, value.shape)) + "]"
