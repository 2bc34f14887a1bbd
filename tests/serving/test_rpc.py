"""gRPC, asked by the official client: tensorflow-serving-api's own messages and stubs."""

# ruff: noqa: E501  one case a line

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import saved
from live import Live, serving, until

from serving.lifecycle.bundle import Bundle
from serving.lifecycle.gate import judge
from serving.protos import FILE

tf = pytest.importorskip("tensorflow")
apis = pytest.importorskip("tensorflow_serving.apis")
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

HALF = "half_plus_two"
Code = grpc.StatusCode


class Client:
    """Both services of one server."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, name: str, outputs: tuple[str, ...] = (), **inputs: Any) -> dict[str, np.ndarray]:
        request = predict_pb2.PredictRequest(model_spec={"name": name}, output_filter=outputs)
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        found = self.predictions.Predict(request, timeout=30)
        return {k: tf.make_ndarray(v) for k, v in found.outputs.items()}

    def status(self, name: str) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": name})
        kind = get_model_status_pb2.ModelVersionStatus.State
        found = self.models.GetModelStatus(request, timeout=30)
        return {v.version: kind.Name(v.state) for v in found.model_version_status}


@pytest.fixture(scope="module")
def client(contract: Live) -> Client:
    """Of the models in `foreign`."""
    return Client(contract.grpc)


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of the SavedModel with all kinds of signatures."""
    root = tmp_path_factory.mktemp("saved")
    saved.half_plus_two(root / HALF / "1")
    with serving(root, "--no-gate") as live:
        yield live


def refused(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def examples(*values: float, context: dict[str, float] | None = None) -> Any:
    def example(features: dict[str, float]) -> Any:
        found = tf.train.Example()
        for name, value in features.items():
            found.features.feature[name].float_list.value.append(value)
        return found

    listed = [example({"x": v} if context is None else {}) for v in values]
    if context is None:
        return input_pb2.Input(example_list={"examples": listed})
    return input_pb2.Input(example_list_with_context={"examples": listed, "context": example(context)})


def test_the_messages_are_those_of_the_official_package() -> None:
    from serving.protos.__main__ import descriptors

    assert descriptors().SerializeToString(deterministic=True) == FILE.read_bytes()


def test_the_certificates_numbers(tiny: Live, tiny_bundle: Path, samples: dict[str, np.ndarray]) -> None:
    client = Client(tiny.grpc)
    found = client.predict("tiny", image=samples["input/image"])
    judge(found, Bundle(tiny_bundle).samples(), slice(None))
    by_rest = tiny.predict("tiny", {"instances": samples["input/image"].tolist()}).json["predictions"]
    assert np.array_equal(found["probabilities"], np.array(by_rest, np.float32))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float", np.array([1.5, -0.0, np.inf], np.float32)),
        ("float", np.array(2.5, np.float32)),
        ("float", np.zeros((2, 3, 1), np.float32)),
        ("float", np.zeros((0, 3), np.float32)),
        ("double", np.array([[1e300]])),
        ("half", np.array([1.5, -2.0], np.float16)),
        ("int8", np.array([-128, 127], np.int8)),
        ("int16", np.array([-(2**15)], np.int16)),
        ("int32", np.array([2**31 - 1], np.int32)),
        ("int64", np.array([-(2**63)], np.int64)),
        ("uint8", np.array([255], np.uint8)),
        ("uint32", np.array([2**32 - 1], np.uint32)),
        ("uint64", np.array([2**64 - 1], np.uint64)),
        ("bool", np.array([True, False])),
        ("string", np.array([["caf\u00e9".encode()], [b""]], object)),
    ],
    ids=lambda v: v if isinstance(v, str) else str(v.shape),
)
def test_every_type_there_and_back(client: Client, name: str, value: np.ndarray) -> None:
    found = client.predict(f"echo_{name}", x=value)["y"]
    assert found.dtype == value.dtype
    assert found.shape == value.shape
    assert found.tobytes() == value.tobytes() or found.tolist() == value.tolist()


def test_values_in_fields_and_a_last_value_that_repeats(client: Client) -> None:
    request = predict_pb2.PredictRequest(model_spec={"name": HALF})
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=4)
    tensor.float_val.extend([2.0, 4.0])
    answer = client.predictions.Predict(request)
    assert list(answer.outputs["y"].float_val) == [3.0, 4.0, 4.0, 4.0]
    assert (answer.model_spec.name, answer.model_spec.version.value) == (HALF, 2)
    assert answer.model_spec.signature_name == "serving_default"


def test_an_output_filter(client: Client) -> None:
    inputs = {"a": np.ones((1, 2), np.float32), "b": np.array([7])}
    assert set(client.predict("pair", **inputs)) == {"same", "twice"}
    assert set(client.predict("pair", ("same",), **inputs)) == {"same"}


def wide(**spec: Any) -> Any:
    request = predict_pb2.PredictRequest(model_spec=spec)
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    return request


def huge(size: int = 2**40) -> Any:
    request = wide(name=HALF)
    request.inputs["x"].tensor_shape.dim[0].size = size
    return request


def mislabelled() -> Any:
    request = wide(name=HALF)
    request.inputs["y"].CopyFrom(request.inputs.pop("x"))
    return request


def crowded() -> Any:
    request = wide(name=HALF)
    request.inputs["z"].CopyFrom(tf.make_tensor_proto([1.0]))
    return request


def filtered(*names: str) -> Any:
    request = wide(name=HALF)
    request.output_filter.extend(names)
    return request


def typed() -> Any:
    request = wide(name=HALF)
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(["a"]))
    return request


SIZES = "input size does not match signature: "
PREDICTIONS = [
    ("no model", wide(), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
    ("unknown model", wide(name="m"), Code.NOT_FOUND, "Servable not found for request: Latest(m)"),
    ("unknown version", wide(name=HALF, version={"value": 9}), Code.NOT_FOUND, "Servable not found for request: Specific(half_plus_two, 9)"),
    ("unknown label", wide(name=HALF, version_label="x"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: x"),
    ("unknown signature", wide(name=HALF, signature_name="s"), Code.FAILED_PRECONDITION, 'Serving signature key "s" not found.'),
    ("no inputs", predict_pb2.PredictRequest(model_spec={"name": HALF}), Code.INVALID_ARGUMENT, SIZES + "0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}."),
    ("too many inputs", crowded(), Code.INVALID_ARGUMENT, SIZES + "2!=1 len({x,z}) != len({x}). Sent extra: {z}. Missing but required: {}."),
    ("wrong name", mislabelled(), Code.INVALID_ARGUMENT, "input tensor alias not found in signature: y. Inputs expected to be in the set {x}."),
    ("unknown output", filtered("q"), Code.INVALID_ARGUMENT, "output tensor alias not found in signature: q Outputs expected to be in the set {y}."),
    ("output twice", filtered("y", "y"), Code.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
    ("few bytes for many rows", huge(70000), Code.INVALID_ARGUMENT, "The request has 70000 rows, this server takes at most 65536"),
    ("few bytes for more than a body", huge(2**25), Code.INVALID_ARGUMENT, "tensor parsing error: x"),
    ("a size beyond all", huge(), Code.INVALID_ARGUMENT, "tensor parsing error: x"),
    ("wrong type", typed(), Code.INVALID_ARGUMENT, "Expects input x to be float but string is provided"),
]  # fmt: skip


@pytest.mark.parametrize("case", PREDICTIONS, ids=lambda c: c[0])
def test_predictions_that_are_refused(client: Client, case: tuple[str, Any, Any, str]) -> None:
    _, request, code, text = case
    assert refused(lambda: client.predictions.Predict(request)) == (code, text)


def test_metadata(client: Client) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec={"name": "pair"}, metadata_field=["signature_def"]
    )
    answer = client.predictions.GetModelMetadata(request)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("pair", 1)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(definitions)
    definition = definitions.signature_def["serving_default"]
    assert definition.method_name == "tensorflow/serving/predict"
    assert {k: (v.dtype, [d.size for d in v.tensor_shape.dim]) for k, v in definition.inputs.items()} == {
        "a": (1, [-1, 2]),
        "b": (9, [-1]),
    }
    request.metadata_field[:] = ["x"]
    assert refused(lambda: client.predictions.GetModelMetadata(request))[0] == Code.INVALID_ARGUMENT
    request.metadata_field[:] = []
    assert "at least one metadata_field" in refused(lambda: client.predictions.GetModelMetadata(request))[1]
    empty = get_model_metadata_pb2.GetModelMetadataRequest()
    assert refused(lambda: client.predictions.GetModelMetadata(empty)) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")


def test_status(client: Client) -> None:
    assert client.status(HALF) == {2: "AVAILABLE"}
    assert refused(lambda: client.status("m")) == (Code.NOT_FOUND, "Could not find any versions of model m")
    empty = get_model_status_pb2.GetModelStatusRequest()
    assert refused(lambda: client.models.GetModelStatus(empty)) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")


def test_health(client: Client, contract: Live) -> None:
    """On the wire, as grpc.health.v1 specifies it: field 1 is 1 for SERVING."""

    def check(service: bytes) -> bytes:
        call = client.channel.unary_unary("/grpc.health.v1.Health/Check")
        return bytes(call(b"\n" + bytes([len(service)]) + service if service else b""))

    assert check(b"") == check(b"tensorflow.serving.PredictionService") == b"\x08\x01"
    assert refused(lambda: check(b"x"))[0] == Code.NOT_FOUND
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    assert next(iter(watch)) == b"\x08\x01"
    watch.cancel()
    assert refused(lambda: client.channel.unary_unary("/x/Y")(b""))[0] == Code.UNIMPLEMENTED


def test_classify_and_regress(half: Live) -> None:
    stub = Client(half.grpc).predictions
    spec = {"name": HALF, "signature_name": "classify_named"}
    answer = stub.Classify(classification_pb2.ClassificationRequest(model_spec=spec, input=examples(2.0, 4.0)))
    found = [[(c.label, c.score) for c in row.classes] for row in answer.result.classifications]
    assert found == [[("low", 3.0), ("high", 4.0)], [("low", 4.0), ("high", 5.0)]]
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (1, "classify_named")
    spec = {"name": HALF, "signature_name": "regress_x_to_y"}
    for given in (examples(2.0, 2.0), examples(1.0, 1.0, context={"x": 2.0})):
        regressed = stub.Regress(regression_pb2.RegressionRequest(model_spec=spec, input=given))
        assert [r.value for r in regressed.result.regressions] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("signature", "given", "text"),
    [
        ("x", examples(1.0), "No signature was found with the name: x"),
        ("", examples(1.0), "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"),
        ("regress_x_to_y", examples(), "Input is empty."),
        ("regress_x_to_y", input_pb2.Input(), "Input is empty."),
        ("regress_wide", examples(1.0), "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]"),
    ],
)  # fmt: skip
def test_regressions_that_are_refused(half: Live, signature: str, given: Any, text: str) -> None:
    request = regression_pb2.RegressionRequest(model_spec={"name": HALF, "signature_name": signature}, input=given)
    assert refused(lambda: Client(half.grpc).predictions.Regress(request)) == (Code.INVALID_ARGUMENT, text)


def tasks(*pairs: tuple[str, str], model: str = HALF) -> Any:
    request = inference_pb2.MultiInferenceRequest(input=examples(2.0))
    for signature, method in pairs:
        spec = model_pb2.ModelSpec(name=model, signature_name=signature)
        request.tasks.add(model_spec=spec, method_name=f"tensorflow/serving/{method}")
    return request


def test_multi_inference(half: Live) -> None:
    stub = Client(half.grpc).predictions
    answer = stub.MultiInference(tasks(("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")))
    one, two = answer.results
    assert one.regression_result.regressions[0].value == 3.0
    assert [(c.label, c.score) for c in two.classification_result.classifications[0].classes] == [("", 3.0)]
    assert (one.model_spec.signature_name, two.model_spec.signature_name) == ("regress_x_to_y", "classify_x_to_y")
    for request, code, text in (
        (tasks(("regress_x_to_y", "regress"), ("regress_x_to_y", "regress")), Code.INVALID_ARGUMENT, "Duplicate eval"),
        (tasks(("x", "regress")), Code.INVALID_ARGUMENT, "Requested signature not found in model graph: x"),
        (tasks(("regress_x_to_y", "predict")), Code.UNIMPLEMENTED, "Unsupported signature method_name"),
        (
            tasks(("regress_x_to_y", "regress"), ("regress_parsed", "regress")),
            Code.INVALID_ARGUMENT,
            "Input tensor must",
        ),
        (tasks(), Code.INVALID_ARGUMENT, "no tasks"),
    ):
        found = refused(lambda r=request: stub.MultiInference(r))
        assert found[0] == code
        assert text in found[1]


REST = [
    ("regress", "regress_x_to_y", '[{"x": 2.0}, {"x": [4.0]}]', 200, '{\n    "results": [3.0, 4.0]\n}'),
    ("classify", "classify_x_to_y", '[{"x": 2.0}, {"x": 4.0}]', 200, '{\n    "results": [[["", 3.0]], [["", 4.0]]\n    ]\n}'),
    ("classify", "classify_named", '[{"x": 2.0}]', 200, '{\n    "results": [[["low", 3.0], ["high", 4.0]]\n    ]\n}'),
    ("regress", "regress_x_to_y", '[1]', 400, "Example must be JSON object but got JSON Number"),
    ("regress", "regress_x_to_y", '[{"x": null}]', 400, "Feature: x has element with unexpected JSON type: Null"),
    ("regress", "regress_x_to_y", '[{"x": [[1.0]]}]', 400, "Feature: x has element with unexpected JSON type: Array"),
    ("regress", "regress_x_to_y", '[{"x": [1.0, 2]}]', 400, "Unexpected element type in feature: x expecting type: float"),
    ("regress", "regress_x_to_y", '[{"x": [1, 2.5]}]', 400, "Unexpected element type in feature: x expecting type: int64"),
    ("regress", "regress_x_to_y", '[{"x": 9223372036854775808}]', 400, "Feature: x has uint64 element. Only int64 is supported."),
    ("regress", "regress_x_to_y", '[{"x": {"b64": "YQ"}, "z": [true, 1]}]', 400, "..."),
    ("classify", "regress_x_to_y", '[{"x": 2.0}]', 400, "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/regress"),
]  # fmt: skip


@pytest.mark.parametrize("case", REST, ids=lambda c: f"{c[0]} {c[2][:30]}")
def test_classify_and_regress_by_rest(half: Live, case: tuple[str, str, str, int, str]) -> None:
    verb, signature, given, status, wanted = case
    body = f'{{"signature_name": "{signature}", "examples": {given}}}'
    answer = half.request("POST", f"/v1/models/{HALF}:{verb}", body)
    assert answer.status == status, answer.body
    if status == 200:
        assert answer.body.decode() == wanted
    elif wanted != "...":
        assert answer.error == wanted


def test_context_by_rest(half: Live) -> None:
    body = '{"signature_name": "regress_x_to_y", "context": {"x": 2.0}, "examples": [{}, {}]}'
    assert half.request("POST", f"/v1/models/{HALF}:regress", body).json == {"results": [3.0, 3.0]}


def reload(*entries: dict[str, Any]) -> Any:
    request = model_management_pb2.ReloadConfigRequest()
    listed = request.config.model_config_list
    listed.SetInParent()
    for entry in entries:
        policy = entry.pop("specific", None)
        found = listed.config.add(model_platform="tensorflow", **entry)
        if policy:
            found.model_version_policy.specific.versions.extend(policy)
    return request


def test_reloading_the_configuration(contract: Live, tmp_path: Path) -> None:
    """Labels need versions that serve; models that are not named go; a new one that fails is told, and it alone."""
    import foreign

    for version in (1, 2):
        foreign.half_plus(tmp_path / "half" / str(version), version)
    half = {"name": "half", "base_path": str(tmp_path / "half")}
    with serving(tmp_path, "--no-gate", "--poll-seconds", "0.05") as live:
        client = Client(live.grpc)
        change = client.models.HandleReloadConfigRequest
        assert refused(lambda: change(model_management_pb2.ReloadConfigRequest()))[0] == Code.INVALID_ARGUMENT
        unavailable = reload(half | {"version_labels": {"stable": 1}})
        text = "Request to assign label to version 1 of model half, which is not currently available for inference"
        assert refused(lambda: change(unavailable)) == (Code.FAILED_PRECONDITION, text)
        assert client.status("half") == {2: "AVAILABLE"}
        assert change(reload(half | {"specific": [1, 2]})).status.error_code == 0
        until(lambda: client.status("half") == {1: "AVAILABLE", 2: "AVAILABLE"}, "both")
        change(reload(half | {"specific": [1, 2], "version_labels": {"stable": 1}}))
        assert client.predictions.Predict(wide(name="half", version_label="stable")).model_spec.version.value == 1
        code, text = refused(lambda: change(reload(dict(half), {"name": "none", "base_path": str(tmp_path / "none")})))
        assert (code, text[:42]) == (Code.UNKNOWN, "1 model(s) did not become available: {{{na")
        assert refused(lambda: change(reload(dict(half), dict(half))))[0] == Code.INVALID_ARGUMENT
        assert refused(lambda: client.predictions.Predict(wide(name="half", version_label="stable")))[0]
        change(reload({"name": "other", "base_path": str(tmp_path / "half")}))
        until(lambda: client.status("half") == {1: "END", 2: "END"}, "gone")
        assert client.status("other") == {2: "AVAILABLE"}


def test_a_stop_finishes_calls_and_leaves(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "tiny" / "1")
    with serving(tmp_path) as live:
        client = Client(live.grpc)
        assert client.status("tiny") == {1: "AVAILABLE"}
        assert live.stop() == 0
        assert refused(lambda: client.status("tiny"))[0] == Code.UNAVAILABLE
