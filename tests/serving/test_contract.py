"""Every case of the table, against a live server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cases import CASES, Case
from live import Live


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_contract(contract: Live, case: Case) -> None:
    check(contract, case)


def test_tensorflow_is_held_to_the_same_contract(tensorflow_contract: Live) -> None:
    """The same models as SavedModels in TensorFlow."""
    for case in CASES:
        check(tensorflow_contract, case)


def check(live: Live, case: Case) -> None:
    if live.process is None and case.ours:
        return
    answer = live.request(case.method, case.path, case.body, **case.headers)
    assert answer.status == case.status, (case, answer.body)
    if case.wanted is None:
        return
    if case.status == 200 or not case.wanted:
        # Outputs come in no particular order.
        assert lines(answer.body.decode()) == lines(case.wanted), case
    elif case.wanted.endswith("..."):
        assert answer.error.startswith(case.wanted[:-3]), case
    else:
        assert answer.error == case.wanted, case
    assert answer.headers["content-type"] == "application/json"


def lines(text: str) -> list[str]:
    return sorted(line.rstrip(",") for line in text.splitlines()) if '": {' in text or "{\n   " in text else [text]


def test_names_of_cases_are_distinct() -> None:
    assert len({str(c) for c in CASES}) == len(CASES) >= 60


def test_errors_are_laid_out_as_rapidjson_does(contract: Live) -> None:
    assert contract.get("/v1/models").body == b'{\n    "error": "Missing model name in request."\n}'


def test_long_documents_are_not_echoed_whole(contract: Live) -> None:
    body = json.dumps([["x" * 100] * 1000])
    answer = contract.request("POST", "/v1/models/half_plus_two:predict", body)
    assert answer.status == 400
    assert len(answer.body) < 6000


def test_status(contract: Live) -> None:
    wanted = (
        b'{\n "model_version_status": [\n  {\n   "version": "2",\n   "state": "AVAILABLE",\n   "status": {\n'
        b'    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )
    for path in ("", "/versions/2", "/labels/any", "/METADATA"):  # labels are ignored
        assert contract.get(f"/v1/models/half_plus_two{path}").body == wanted, path


def test_metadata_is_what_protocol_buffers_print(contract: Live) -> None:
    """The same message through protocol buffers' own printer."""
    from google.protobuf import json_format
    from tensorflow.core.protobuf import meta_graph_pb2

    answer = contract.get("/v1/models/pair/metadata")
    document = answer.json
    assert document["model_spec"] == {"name": "pair", "signature_name": "", "version": "1"}
    text = json.dumps(document["metadata"]["signature_def"]["signature_def"]["serving_default"])
    message = json_format.Parse(text, meta_graph_pb2.SignatureDef())
    printed = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert printed == json.loads(text)
    assert {n: t.dtype for n, t in message.inputs.items()} == {"a": 1, "b": 9}
    assert [d.size for d in message.inputs["a"].tensor_shape.dim] == [-1, 2]
    assert answer.body.startswith(b'{\n"model_spec":{\n "name": "pair",')
    assert answer.body.endswith(b"}\n}\n}\n")


def test_serving_imports_neither_the_engine_room_nor_tensorflow(exports: Path) -> None:
    """What a whole life of the server has imported: boot, load, gate, predict. Nor what only traces need."""
    import subprocess
    import sys

    code = (
        "import sys, asyncio\n"
        "from pathlib import Path\n"
        "import serving.__main__, serving.main\n"
        "from serving.lifecycle.loading import load\n"
        "for engine in ('onnx', 'tflite'):\n"
        f"    load('tiny', 1, Path({str(exports / 'tiny' / '1')!r}), engine, True, 1)\n"
        "not_these = ('pipeline', 'models', 'tensorflow', 'keras', 'opentelemetry')\n"
        "print([m for m in sys.modules if m.split('.')[0] in not_these])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
