"""The OpenAPI description: what it says is what the server does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from described import described, hold
from live import Live, serving

VALUES = {"model": "half_plus_two", "version": "2", "label": "stable"}


def test_the_server_does_what_it_describes() -> None:
    """Each path gets requests of its schema and some that violate it; `make soak` sends more of them."""
    with described() as live:
        done = hold(live, seed=1, examples=3)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr
        assert not live.events("fault")
        assert live.get("/healthz").status == 200


def test_schemathesis_finds_what_is_not_described(tmp_path: Path) -> None:
    """A description that promises another answer is caught: the check above can fail."""
    with described() as live:
        document = live.get("/openapi.json").json
        paths = {"/healthz": document["paths"]["/healthz"]}
        paths["/healthz"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "array"}
        file = tmp_path / "other.json"
        file.write_text(json.dumps({**document, "paths": paths}))
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run", str(file)),
                *("--url", f"http://{live.host}:{live.port}", "--phases", "fuzzing", "--max-examples", "1"),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
    assert done.returncode == 1
    assert "Response violates schema" in done.stdout


def test_every_described_path_is_answered(contract: Live) -> None:
    """By its handler: nothing that is described is a plain 404 or a malformed request."""
    document = contract.get("/openapi.json").json
    for path, item in document["paths"].items():
        url = re.sub(r"\{(\w+)\}", lambda m: VALUES[m.group(1)], path)
        for method in item.keys() - {"parameters"}:
            answer = contract.request(method.upper(), url, "{}" if method == "post" else None)
            assert not answer.body.startswith(b"<HTML"), (method, path)
            assert b"Malformed request" not in answer.body, (method, path)
            assert str(answer.status) in item[method]["responses"], (method, path)


def test_models_come_with_their_types(tiny: Live, samples: dict[str, np.ndarray]) -> None:
    document = tiny.get("/openapi.json").json
    body = document["paths"]["/v1/models/tiny:predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = samples["input/image"][0].tolist()
    for wanted, request in (
        (200, {"instances": [row, row]}),
        (200, {"instances": [{"image": row}], "signature_name": "serving_default"}),
        (200, {"inputs": {"image": [row]}}),
        (400, {"instances": [row[:-1]]}),
        (400, {"instances": [{"image": row, "other": 1}]}),
        (400, {"instances": []}),
        (400, {"inputs": [row], "instances": [row]}),
        (400, {"inputs": [["x"]]}),
        (400, {"instances": [row], "signature_name": "other"}),
    ):
        assert tiny.predict("tiny", request).status == wanted
        assert jsonschema.Draft202012Validator(body).is_valid(request) == (wanted == 200), request


def test_it_is_printed_for_those_who_generate_clients() -> None:
    done = subprocess.run([sys.executable, "-m", "serving", "--openapi"], capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["openapi"].startswith("3.1")
    assert {"/v1/models/{model}:predict", "/v2/models/{model}/infer", "/readyz"} <= set(document["paths"])


@pytest.mark.parametrize("guarded", [False, True])
def test_it_says_whether_a_token_is_needed(models: Path, tmp_path: Path, guarded: bool) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef0123")
    with serving(models, "--no-gate", *(("--token-file", str(file)) if guarded else ())) as live:
        token = {"Authorization": "Bearer 0123456789abcdef0123"} if guarded else {}
        document = live.request("GET", "/openapi.json", **token).json
        assert document["security"] == ([{"bearer": []}] if guarded else [])
        free = [p for p, item in document["paths"].items() if item.get("get", {}).get("security") == []]
        assert all(live.get(path).status == 200 for path in free)
        assert live.get("/openapi.json").status == (401 if guarded else 200)
