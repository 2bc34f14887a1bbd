"""Writes serving.binpb from the installed tensorflow-serving-api and TensorFlow. Only who updates those needs it."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2

from serving.protos import FILE


def descriptors() -> descriptor_pb2.FileDescriptorSet:
    """All files that the server's messages need, each after those that it imports."""
    from tensorflow.core.example import example_pb2
    from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2
    from tensorflow_serving.config import model_server_config_pb2

    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: Any) -> None:
        if file.name in files:
            return
        for dependency in file.dependencies:
            add(dependency)
        files[file.name] = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(files[file.name])

    for module in (
        example_pb2,
        prediction_service_pb2,
        model_service_pb2,
        prediction_log_pb2,
        model_server_config_pb2,
    ):
        add(module.DESCRIPTOR)
    return descriptor_pb2.FileDescriptorSet(file=[*files.values(), _health()])


def _health() -> descriptor_pb2.FileDescriptorProto:
    """grpc.health.v1, as its specification has it."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="grpc/health/v1/health.proto", package="grpc.health.v1", syntax="proto3"
    )
    request = file.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    response = file.message_type.add(name="HealthCheckResponse")
    status = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")):
        status.value.add(name=name, number=number)
    response.field.add(
        name="status",
        number=1,
        type=field.TYPE_ENUM,
        type_name=".grpc.health.v1.HealthCheckResponse.ServingStatus",
        label=field.LABEL_OPTIONAL,
    )
    return file


if __name__ == "__main__":
    FILE.write_bytes(descriptors().SerializeToString(deterministic=True))
