"""What requests of the two services ask for, and their answers filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.contract import results
from serving.errors import InvalidArgument, Unimplemented
from serving.lifecycle.loading import Servable
from serving.rpc.tensors import number_of
from serving.signature import DEFAULT_SIGNATURE, Signature

Tensors = Mapping[str, np.ndarray]


def wanted_outputs(signature: Signature, names: list[str]) -> list[str]:
    """Outputs that the request asks for; all if it asks for none."""
    known = [t.name for t in signature.outputs]
    for i, name in enumerate(names):
        if name not in known:
            raise InvalidArgument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{{{','.join(sorted(known))}}}."
            )
        if name in names[:i]:
            raise InvalidArgument(f"duplicate output tensor alias: {name}")
    return list(names) or known


def read_tasks(servable: Servable, tasks: Any) -> list[tuple[Any, Signature]]:
    """Each task with its signature."""
    found: list[tuple[Any, Signature]] = []
    for task in tasks:
        if not task.model_spec.name:
            raise InvalidArgument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != servable.model:
            raise InvalidArgument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in (s.name for _, s in found):
            raise InvalidArgument(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signatures:
            raise InvalidArgument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in (results.CLASSIFY, results.REGRESS):
            raise Unimplemented(f"Unsupported signature method_name: {task.method_name}")
        signature = servable.signatures[name]
        results.check(signature, task.method_name)
        if found and signature.inputs[0].tensor != found[0][1].inputs[0].tensor:
            raise InvalidArgument("Input tensor must be the same for all Signatures.")
        found.append((task, signature))
    return found


def fill(result: Any, method: str, outputs: Tensors, rows: int) -> None:
    """An InferenceResult."""
    kind = "classification_result" if method == results.CLASSIFY else "regression_result"
    fill_result(getattr(result, kind), method, outputs, rows)


def fill_result(result: Any, method: str, outputs: Tensors, rows: int) -> None:
    """A ClassificationResult or a RegressionResult."""
    if method == results.CLASSIFY:
        for row in results.classes(outputs, rows):
            entry = result.classifications.add()
            for label, score in row:
                entry.classes.add(label=label.decode("utf-8", "replace"), score=score)
        return
    for value in results.regressions(outputs, rows).tolist():
        result.regressions.add(value=value)


def name_version(spec: Any, servable: Servable, signature: str) -> None:
    """Which version and signature answered."""
    spec.name, spec.signature_name = servable.model, signature
    spec.version.value = servable.version


def define(definition: Any, signature: Signature) -> None:
    """A SignatureDef."""
    definition.method_name = signature.method
    for tensors, into in ((signature.inputs, definition.inputs), (signature.outputs, definition.outputs)):
        for tensor in tensors:
            info = into[tensor.name]
            info.name, info.dtype = tensor.tensor, number_of(tensor.dtype)
            if tensor.shape is None:
                info.tensor_shape.unknown_rank = True
                continue
            info.tensor_shape.SetInParent()
            for size in tensor.shape:
                info.tensor_shape.dim.add(size=-1 if size is None else size)
