"""The schemas accept what isomer writes and name the place of what it would not."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.bundle.schemas import SCHEMAS, schema, validate
from pipeline.cells import Cell, Status
from pipeline.errors import BundleError
from tests.pipeline import example_certificate as example

DOCUMENTS = {
    "certificate": example.certificate,
    "device": example.device,
    "manifest": example.manifest,
    "receipt": example.receipt,
    "result": example.result,
}


def changed(kind: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    document = deepcopy(DOCUMENTS[kind]())
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize("kind", [*SCHEMAS, "common"])
def test_schemas_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_examples_are_accepted_before_and_after_writing(kind: str) -> None:
    document = DOCUMENTS[kind]()
    validate(document, kind)
    validate(json.loads(json.dumps(document)), kind)


def test_failing_certificate_and_missing_parts_are_accepted() -> None:
    document = example.certificate((example.failed_cell(),), example.DIGITS)
    assert document["version"] is None
    validate(document | {"dataset": None, "confusion": None}, "certificate")


def test_every_field_of_a_cell_is_in_the_schema() -> None:
    assert set(schema("certificate")["$defs"]["cell"]["properties"]) == {f.name for f in fields(Cell)}


def test_verdicts_are_those_of_the_code() -> None:
    assert schema("common")["$defs"]["status"]["enum"] == [str(s) for s in Status]


@pytest.mark.parametrize(
    ("kind", "path", "value", "place"),
    [
        ("certificate", ("cells", 3, "verdict"), "MAYBE", "certificate.cells[3].verdict"),
        ("certificate", ("cells", 1, "reason"), "", "certificate.cells[1].reason"),
        ("certificate", ("checks", 0, "verdict"), "FAIL", "certificate.checks[0].reason"),
        ("certificate", ("cells", 0, "ulp_error"), float("nan"), "certificate.cells[0].ulp_error"),
        ("certificate", ("cells", 0, "accuracy"), 99.4, "certificate.cells[0].accuracy"),
        ("certificate", ("cells", 0, "note"), "x", "certificate.cells[0]"),
        ("certificate", ("dataset", "sha256"), "x", "certificate.dataset.sha256"),
        ("certificate", ("schema",), "isomer-certificate/2", "certificate.schema"),
        ("certificate", ("status",), "NOT_RUN", "certificate.status"),
        ("certificate", ("extra",), 1, "certificate"),
        ("certificate", ("artifacts", 1, "path"), "../outside", "certificate.artifacts[1].path"),
        ("manifest", ("files", 0, "path"), "/etc/passwd", "manifest.files[0].path"),
        ("manifest", ("files", 0, "path"), "a/../../b", "manifest.files[0].path"),
        ("manifest", ("files", 2, "bytes"), -1, "manifest.files[2].bytes"),
        ("manifest", ("digest",), None, "manifest.digest"),
        ("receipt", ("epochs", 0, "epoch"), 0, "receipt.epochs[0].epoch"),
        ("receipt", ("monitor",), "loss", "receipt.monitor"),
        ("result", ("cells", 0, "verdict"), "pass", "result.cells[0].verdict"),
    ],
)
def test_refusals_name_the_place(kind: str, path: tuple[str | int, ...], value: Any, place: str) -> None:
    with pytest.raises(BundleError) as caught:
        validate(changed(kind, path, value), kind)
    assert caught.value.what.startswith(f"{place}: ")


def test_a_missing_part_is_named() -> None:
    document = example.certificate()
    del document["cells"]
    with pytest.raises(BundleError, match="'cells' is a required property"):
        validate(document, "certificate")


def test_a_long_value_does_not_flood_the_message() -> None:
    with pytest.raises(BundleError) as caught:
        validate(changed("certificate", ("model",), ["x" * 10_000]), "certificate")
    assert len(str(caught.value)) < 500


def test_what_is_not_an_object_is_refused() -> None:
    with pytest.raises(BundleError):
        validate([], "manifest")
