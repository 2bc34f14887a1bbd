"""The Open Inference Protocol over REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live import Live

from serving.lifecycle.bundle import Bundle
from serving.lifecycle.gate import judge

HALF = "/v2/models/half_plus_two"


def tensor(data: Any, shape: list[int], datatype: str = "FP32", name: str = "x") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def infer(live: Live, model: str, *inputs: dict[str, Any], **rest: Any) -> Any:
    return live.request("POST", f"/v2/models/{model}/infer", json.dumps({"inputs": inputs, **rest}))


def test_the_certificates_numbers(tiny: Live, tiny_bundle: Path, samples: dict[str, np.ndarray]) -> None:
    image = samples["input/image"]
    answer = infer(tiny, "tiny", tensor(image.reshape(-1).tolist(), list(image.shape), name="image")).json
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    found = np.array(output["data"], np.float32).reshape(output["shape"])
    judge({"probabilities": found}, Bundle(tiny_bundle).samples(), slice(None))
    nested = infer(tiny, "tiny", tensor(image.tolist(), list(image.shape), name="image")).json
    assert nested == answer


def test_the_server_and_its_health(contract: Live) -> None:
    assert contract.get("/v2").json == {"name": "isomer", "version": "2", "extensions": ["model_versions"]}
    assert contract.get("/v2/health/live").json == {"live": True}
    assert contract.get("/v2/health/ready").json == {"ready": True}
    assert contract.get(f"{HALF}/ready").json == {"name": "half_plus_two", "ready": True}
    assert contract.get(f"{HALF}/versions/1/ready").status == 404
    assert contract.get("/v2/models/none/ready").status == 404


def test_metadata(contract: Live) -> None:
    assert contract.get("/v2/models/pair/versions/1").json == {
        "name": "pair",
        "versions": ["1"],
        "platform": "onnxruntime",
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "b", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "twice", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "same", "datatype": "INT64", "shape": [-1]},
        ],
    }


def test_ids_versions_and_chosen_outputs(contract: Live) -> None:
    two = [tensor([1, 2], [1, 2], name="a"), tensor([7], [1], "INT64", "b")]
    answer = infer(contract, "pair", *two, id="42", outputs=[{"name": "same"}]).json
    assert answer == {
        "model_name": "pair",
        "model_version": "1",
        "id": "42",
        "outputs": [{"name": "same", "datatype": "INT64", "shape": [1], "data": [7]}],
    }
    body = json.dumps({"inputs": [tensor([2.0], [1])]})
    answer = contract.request("POST", f"{HALF}/versions/2/infer", body).json
    assert answer["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [1], "data": [3.0]}]


@pytest.mark.parametrize(
    ("model", "datatype", "data", "wanted"),
    [
        ("float", "FP32", [0.1, 1e300, -0.0], [0.1, float("inf"), -0.0]),
        ("float", "FP32", [float("inf"), 1], [float("inf"), 1.0]),
        ("double", "FP64", [0.1234567890123456], [0.1234567890123456]),
        ("half", "FP16", [1.5], [1.5]),
        ("int8", "INT8", [-128, 127], [-128, 127]),
        ("uint64", "UINT64", [2**64 - 1], [2**64 - 1]),
        ("bool", "BOOL", [True, False], [True, False]),
        ("string", "BYTES", ["caf\u00e9", ""], ["caf\u00e9", ""]),
    ],
)
def test_types_there_and_back(contract: Live, model: str, datatype: str, data: list[Any], wanted: list[Any]) -> None:
    answer = infer(contract, f"echo_{model}", tensor(data, [len(data)], datatype))
    assert answer.status == 200, answer.body
    (output,) = answer.json["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == (datatype, [len(data)], wanted)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 400, "JSON Parse error"),
        ("[]", 400, "not a JSON object"),
        ("{}", 400, "'inputs' is missing or empty"),
        ('{"inputs": 1}', 400, "'inputs' is not a list"),
        ('{"inputs": [1]}', 400, "has no name"),
        ('{"inputs": [{"name": "x"}, {"name": "x"}]}', 400, "'x' is twice"),
        ('{"inputs": [{"name": "q"}]}', 400, "The inputs are 'q', the model's are 'x'"),
        ('{"id": 1, "inputs": [{"name": "x"}]}', 400, "'id' is not a string"),
        ('{"inputs": [{"name": "x", "datatype": "INT8"}]}', 400, "is of datatype 'INT8', the model takes 'FP32'"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}]}', 400, "no shape"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}]}', 400, "no data"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1]}]}', 400, "has 1 elements"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [true]}]}', 400, "not all FP32"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, [2]]}]}', 400, "mix lists"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}', 400, "expected [?]"),
        ('{"inputs": [{"name": "x"}], "outputs": [{"name": "q"}]}', 400, "There is no output 'q'"),
    ],
)
def test_what_is_refused(contract: Live, body: str, status: int, words: str) -> None:
    answer = contract.request("POST", f"{HALF}/infer", body)
    assert answer.status == status, answer.body
    assert words in answer.error


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/none", 404),
        ("POST", "/v2/models/none/infer", 404),
        ("GET", f"{HALF}/versions/9", 404),
        ("GET", f"{HALF}/versions/x", 404),
        ("GET", f"{HALF}/versions/99999999999999999999", 404),
        ("GET", f"{HALF}/infer", 400),
        ("POST", HALF, 400),
        ("GET", "/v2x", 404),
        ("GET", f"{HALF}/else", 404),
    ],
)
def test_paths_that_are_refused(contract: Live, method: str, path: str, status: int) -> None:
    assert contract.request(method, path).status == status


def test_a_long_body(contract: Live) -> None:
    assert infer(contract, "half_plus_two", tensor([1.0] * 30000, [30000])).json["outputs"][0]["shape"] == [30000]
    assert infer(contract, "half_plus_two", tensor([1.0] * 30000, [2])).status == 400
