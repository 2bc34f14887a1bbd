"""The served numbers are the certificate's, through every engine, form and path through the code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from live import Live, serving

from serving.contract import parser, request
from serving.contract.fast import FastBodies
from serving.lifecycle.bundle import Bundle
from serving.lifecycle.gate import judge
from serving.signature import Signature, TensorSpec


def check(version: Path, answer: np.ndarray, rows: slice = slice(None)) -> None:
    """Answers of the golden samples lie within the certificate's budgets."""
    judge({"probabilities": answer.astype(np.float32)}, Bundle(version).samples(), rows)


def test_rows_and_columns_are_the_goldens(tiny: Live, tiny_bundle: Path, samples: dict[str, np.ndarray]) -> None:
    image = samples["input/image"].tolist()
    by_row = tiny.predict("tiny", {"instances": image}).json["predictions"]
    check(tiny_bundle, np.array(by_row))
    by_name = tiny.predict("tiny", {"instances": [{"image": i} for i in image]}).json["predictions"]
    by_column = tiny.predict("tiny", {"inputs": {"image": image}}).json["outputs"]
    signed = tiny.predict("tiny", {"signature_name": "serving_default", "inputs": image}).json["outputs"]
    assert by_row == by_name == by_column == signed
    for i, row in enumerate(image[:5]):
        alone = tiny.predict("tiny", {"instances": [row]}).json["predictions"]
        check(tiny_bundle, np.array(alone), slice(i, i + 1))


@pytest.mark.parametrize("engine", ["onnx", "tflite"])
def test_each_engine_answers_the_goldens(
    exports: Path, tiny_bundle: Path, samples: dict[str, np.ndarray], engine: str
) -> None:
    with serving(exports, "--engine", engine) as live:
        (event,) = live.events("available")
        assert event["artifact"].startswith(engine)
        found = live.predict("tiny", {"instances": samples["input/image"].tolist()}).json["predictions"]
        check(tiny_bundle, np.array(found))


def test_tensorflow_serves_when_asked(exports: Path, tiny_bundle: Path, samples: dict[str, np.ndarray]) -> None:
    with serving(exports, "--engine", "savedmodel") as live:
        found = live.predict("tiny", {"instances": samples["input/image"].tolist()}).json["predictions"]
        check(tiny_bundle, np.array(found))
        assert live.predict("tiny", {"instances": [[1.0]]}).status == 400
        name = live.get("/v1/models/tiny/metadata").json["metadata"]["signature_def"]["signature_def"]
        assert name["serving_default"]["inputs"]["image"]["dtype"] == "DT_FLOAT"


def test_a_long_body_is_answered_by_a_thread(tiny: Live, samples: dict[str, np.ndarray]) -> None:
    image = samples["input/image"].tolist() * 40
    body = json.dumps({"instances": image})
    assert len(body) > 1 << 16
    assert len(tiny.request("POST", "/v1/models/tiny:predict", body).json["predictions"]) == len(image)
    assert tiny.request("POST", "/v1/models/tiny:predict", body[:-2]).status == 400


def test_the_short_cut_and_the_long_way_agree() -> None:
    """Random bodies, many of them slightly wrong: whatever the short cut takes, the long way reads the same."""
    spec = TensorSpec("x", "float32", (None, 2, 3))
    signature = Signature("serving_default", (spec,), (spec,))
    fast = FastBodies(signature)
    random = np.random.default_rng(0)
    characters = b'0123456789+-.eE \t\n,[]{}":xnull'
    taken = 0
    for _ in range(3000):
        rows = random.integers(1, 4)
        values = random.normal(size=(rows, 2, 3)) * 10.0 ** random.integers(-40, 40)
        key = ("instances", "inputs")[random.integers(2)]
        body = bytearray(json.dumps({key: values.tolist()}).encode())
        for _ in range(random.integers(0, 3)):
            body[random.integers(len(body))] = characters[random.integers(len(characters))]
        found = fast.read(bytes(body))
        if found is not None:
            taken += 1
            wanted = request.predict(bytes(body), lambda _: signature)
            assert found.row == wanted.row
            assert np.array_equal(found.inputs["x"], wanted.inputs["x"]), bytes(body)
            assert found.inputs["x"].dtype == np.float32
    assert taken > 1000


def test_the_strict_parser_and_pythons_agree() -> None:
    """On whatever both take."""
    from serving.contract import strict

    random = np.random.default_rng(1)
    characters = b'019-.eE \n,[]{}":xtruefalsn\\u0041"'
    seeds = [b'{"a": [1, -2.5e3, true, null, "x\\u0041\\n"], "b": {"c": []}}', b"[[[]], {}, 0.1, 1e5]"]
    agreed = 0
    for _ in range(3000):
        body = bytearray(seeds[random.integers(2)])
        for _ in range(random.integers(0, 3)):
            body[random.integers(len(body))] = characters[random.integers(len(characters))]
        try:
            wanted = json.loads(body, object_pairs_hook=parser._first_wins)
        except ValueError:
            continue
        agreed += 1
        assert strict.parse(bytes(body)) == parser.parse(bytes(body)) == wanted, bytes(body)
    assert agreed > 500
