"""Bodies of :predict, :classify and :regress: from JSON to named arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.contract import parser, results
from serving.contract.examples import join, serialize
from serving.contract.tensors import convert, is_base64, strings, wrap
from serving.contract.writer import classifications, columns, echo, predictions, regressions
from serving.errors import InvalidArgument, ServingError
from serving.signature import DEFAULT_SIGNATURE, Signature, TensorSpec

# Gives the signature of that name, or raises what the client gets.
Lookup = Callable[[str], Signature]


@dataclass(frozen=True)
class Predict:
    """A request that is ready to run.

    Attributes:
        signature: the one it names, or the default.
        inputs: arrays by input name.
        row: the answer's form: `predictions` by row, or `outputs` by column.
    """

    signature: Signature
    inputs: dict[str, np.ndarray]
    row: bool

    @property
    def rows(self) -> int:
        """The size of the first dimension; 1 for scalars."""
        first = next(iter(self.inputs.values()))
        return len(first) if first.ndim else 1

    def answer(self, outputs: dict[str, np.ndarray]) -> bytes:
        """The response's body.

        Raises:
            InvalidArgument: row format, and the outputs have no rows or differ in their number.
        """
        return predictions(outputs) if self.row else columns(outputs)


def predict(body: bytes, lookup: Lookup) -> Predict:
    """Read the body of a :predict.

    Raises:
        ServingError: with TensorFlow Serving's code and text.
    """
    document = _document(body)
    name = _signature_name(document)
    signature = lookup(name or DEFAULT_SIGNATURE)
    if not signature.inputs:
        raise InvalidArgument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    if "instances" in document:
        if "inputs" in document:
            raise InvalidArgument(
                f"JSON Value: {echo(document)} Not formatted correctly expecting only one of 'inputs' or "
                "'instances' keys to exist "
            )
        instances = document["instances"]
        if not isinstance(instances, list):
            raise InvalidArgument(f"JSON Value: {echo(document)} Excepting 'instances' to be an list/array")
        if not instances:
            raise InvalidArgument(f"JSON Value: {echo(document)} No values in 'instances' array")
        return Predict(signature, _from_instances(instances, signature), True)
    if "inputs" in document:
        return Predict(signature, _from_inputs(document["inputs"], signature), False)
    raise InvalidArgument("Missing 'inputs' or 'instances' key")


@dataclass(frozen=True)
class Examples:
    """A :classify or :regress that was read.

    Attributes:
        method: CLASSIFY or REGRESS of `results`.
        name: the signature's; empty for the default.
        examples: serialized.
    """

    method: str
    name: str
    examples: list[bytes]

    @property
    def rows(self) -> int:
        return len(self.examples)

    def inputs(self, signature: Signature) -> dict[str, np.ndarray]:
        """What the signature's function takes."""
        return {signature.inputs[0].name: strings(self.examples)}

    def answer(self, outputs: dict[str, np.ndarray]) -> bytes:
        """The response's body.

        Raises:
            InvalidArgument: the outputs are not what the method is to give.
        """
        if self.method == results.CLASSIFY:
            return classifications(results.classes(outputs, self.rows))
        return regressions(results.regressions(outputs, self.rows))


def examples(body: bytes, method: str) -> Examples:
    """Read the body of a :classify or :regress.

    Raises:
        ServingError: with TensorFlow Serving's code and text.
    """
    document = _document(body)
    name = _signature_name(document)
    context = serialize(document["context"]) if "context" in document else b""
    found = document.get("examples")
    if "examples" not in document:
        # "classify" also in the answer to :regress: so is the original.
        raise InvalidArgument(
            f"JSON Value: {echo(document)} When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(found, list):
        raise InvalidArgument(f"JSON Value: {echo(document)} Expecting 'examples' value to be an list/array")
    if not found:
        raise InvalidArgument(f"JSON Value: {echo(document)} 'examples' value is an empty array")
    return Examples(method, name, join(context, [serialize(e) for e in found]))


def _document(body: bytes) -> dict[str, Any]:
    document = parser.parse(body)
    if not isinstance(document, dict):
        raise InvalidArgument(f"JSON Value: {echo(document)} Is not object")
    return document


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgument(
            f"JSON Value: {echo(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def _from_instances(instances: list[Any], signature: Signature) -> dict[str, np.ndarray]:
    """Rows: values of the only input, or objects with a value for each input."""
    specs = {spec.name: spec for spec in signature.inputs}
    if not isinstance(instances[0], dict) and len(specs) > 1:
        raise InvalidArgument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if not _is_object(instances[0]):
        spec = signature.inputs[0]
        objects = next((i for i, row in enumerate(instances) if _is_object(row)), None)
        if objects is None:
            try:
                return {spec.name: convert(instances, spec)}
            except ServingError:
                pass  # each row by itself finds the row at fault
        for i, row in enumerate(instances):
            if i == objects:
                raise InvalidArgument(f"Expecting value/list but got object at item {i} of input list")
            _same(row, spec, instances[0], str(i))
        return {spec.name: convert(instances, spec)}
    for i, row in enumerate(instances):
        if not _is_object(row):
            raise InvalidArgument(f"Expecting object but got list at item {i} of input list")
        if row.keys() != specs.keys():
            _object_problem(i, row, specs, instances[0])
    try:
        return {name: convert([row[name] for row in instances], spec) for name, spec in specs.items()}
    except ServingError:
        for i, row in enumerate(instances):
            _object_problem(i, row, specs, instances[0])
        raise


def _object_problem(i: int, row: dict[str, Any], specs: dict[str, TensorSpec], first: dict[str, Any]) -> None:
    """Raise what is wrong with one row's object, if anything is."""
    for key, value in row.items():
        if key not in specs:
            raise wrap(InvalidArgument(f"JSON object: does not have named input: {key}"), f"{i} key: {key}")
        _same(value, specs[key], first[key], f"{i} key: {key}")
    if row.keys() != specs.keys():
        raise InvalidArgument(
            f"Failed to process element: {i} of 'instances' list. JSON object: {echo(row)} keys must be equal to: "
            f"{','.join(sorted(specs))}"
        )


def _same(value: Any, spec: TensorSpec, first: Any, where: str) -> None:
    """Check that one row's value converts, and is of the first row's shape."""
    try:
        ours = convert(value, spec)
        wanted = ours if value is first else convert(first, spec)
        if ours.size != wanted.size:
            raise InvalidArgument(f"Expecting tensor size: {wanted.size} but got: {ours.size}")
        if ours.shape != wanted.shape:
            raise InvalidArgument(f"Expecting shape {_show(wanted.shape)} but got: {_show(ours.shape)}")
    except ServingError as problem:
        raise wrap(problem, where) from problem


def _from_inputs(value: Any, signature: Signature) -> dict[str, np.ndarray]:
    """Columns: the only input's value, or an object with a value for each input. Other keys are ignored."""
    if not _is_object(value):
        if len(signature.inputs) > 1:
            raise InvalidArgument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        spec = signature.inputs[0]
        return {spec.name: convert(value, spec)}
    arrays = {}
    for spec in signature.inputs:
        if spec.name not in value:
            raise InvalidArgument(f"Missing named input: {spec.name} in 'inputs' object.")
        arrays[spec.name] = convert(value[spec.name], spec)
    return arrays


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _show(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
