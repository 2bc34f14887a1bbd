"""TensorFlow Serving's protocol buffers without TensorFlow.

`serving.binpb` is a compiled FileDescriptorSet of the messages of tensorflow-serving-api, of the TensorFlow
messages that they use, and of grpc.health.v1. Those are Apache-2.0, by the TensorFlow and the gRPC authors.
`python -m serving.protos` writes the file again, from the installed packages.

The pool is private: a TensorFlow in the same process has the same names in the default pool, and they do not clash.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FILE = Path(__file__).with_name("serving.binpb")


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    files = descriptor_pb2.FileDescriptorSet.FromString(FILE.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:  # in the order of their imports
        pool.Add(file)
    return pool


@cache
def message(name: str) -> Any:
    """A message's class by its name, such as "PredictRequest" or "grpc.health.v1.HealthCheckRequest"."""
    for package in ("tensorflow.serving.", "tensorflow.", ""):
        try:
            descriptor = _pool().FindMessageTypeByName(package + name)
        except KeyError:
            continue
        return message_factory.GetMessageClass(descriptor)
    raise KeyError(name)
