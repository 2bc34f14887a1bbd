"""Warm-up files: requests that a version is asked before it takes traffic.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of PredictionLog messages, as TensorFlow Serving reads it:
at most 1000 records, and one that cannot be read or fails refuses the version.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving.contract import results
from serving.contract.tensors import strings
from serving.engines.base import Engine
from serving.errors import Damaged, InvalidArgument, Unimplemented
from serving.inference.batches import run
from serving.signature import DEFAULT_SIGNATURE, Signature

FILE = "assets.extra/tf_serving_warmup_requests"
_MAX_RECORDS = 1000
_MAX_BYTES = 256 << 20
_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78


def warm_up(engine: Engine, directory: Path) -> int:
    """Ask a version what its warm-up file says; returns the number of records, 0 if there is no file.

    Raises:
        Damaged: the file is no TFRecord file.
        ServingError: a record is refused.
    """
    path = directory / FILE
    if not path.is_file():
        return 0
    # Here, since most servers of other origin's models need no protocol buffers.
    from serving.protos import message

    count = 0
    for record in records(path.read_bytes()):
        if count == _MAX_RECORDS:
            raise InvalidArgument(f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {FILE}")
        log = message("PredictionLog")()
        try:
            log.ParseFromString(record)
        except Exception as error:  # DecodeError has no public base
            raise InvalidArgument(f"Failed to parse warmup record: {error} from {FILE}") from error
        _replay(engine, log)
        count += 1
    return count


def records(content: bytes) -> Iterator[bytes]:
    """The records of a TFRecord file: length, its checksum, data, its checksum.

    Raises:
        Damaged: it is none.
    """
    at = 0
    while at < len(content):
        head = content[at : at + _HEAD.size]
        if len(head) < _HEAD.size:
            raise Damaged(f"{FILE}: truncated record at {at}")
        length, checksum = _HEAD.unpack(head)
        if checksum != _checksum(head[:8]):
            raise Damaged(f"{FILE}: corrupted record at {at}")
        start = at + _HEAD.size
        end = start + length
        if end + _TAIL.size > len(content):
            raise Damaged(f"{FILE}: truncated record at {at}")
        data = content[start:end]
        if _TAIL.unpack_from(content, end)[0] != _checksum(data):
            raise Damaged(f"{FILE}: corrupted record at {at}")
        yield data
        at = end + _TAIL.size


def _replay(engine: Engine, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        _predict(engine, request)
    elif kind == "classify_log":
        _examples(engine, log.classify_log.request, results.CLASSIFY)
    elif kind == "regress_log":
        _examples(engine, log.regress_log.request, results.REGRESS)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        for task in request.tasks:
            signature = results.find(engine.signatures, task.model_spec.signature_name, task.method_name)
            _run_examples(engine, signature, request.input)
    else:
        raise Unimplemented(f"Unsupported log_type for warmup: {kind}")


def _predict(engine: Engine, request: Any) -> None:
    from serving.rpc.tensors import to_array

    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = engine.signatures.get(name)
    if signature is None:
        raise InvalidArgument(f'Serving signature key "{name}" not found.')
    missing = [spec.name for spec in signature.inputs if spec.name not in request.inputs]
    if missing:
        raise InvalidArgument(f"a warm-up request has no input {missing[0]}")
    inputs: Mapping[str, np.ndarray] = {
        spec.name: to_array(request.inputs[spec.name], spec, _MAX_BYTES) for spec in signature.inputs
    }
    run(engine, signature, inputs)


def _examples(engine: Engine, request: Any, method: str) -> None:
    signature = results.find(engine.signatures, request.model_spec.signature_name, method)
    _run_examples(engine, signature, request.input)


def _run_examples(engine: Engine, signature: Signature, given: Any) -> None:
    from serving.rpc.examples import read

    run(engine, signature, {signature.inputs[0].name: strings(read(given))})


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def _checksum(data: bytes) -> int:
    """CRC-32C, masked as TFRecord files have it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF
