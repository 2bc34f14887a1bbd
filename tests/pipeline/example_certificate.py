"""A realistic certificate, manifest, receipt and result line, for the tests of what reads them.

Run as a script to look at the views: `python tests/pipeline/example_certificate.py DIRECTORY`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status, overall
from pipeline.signature import Signature, TensorSpec

CREATED = "2026-11-21T07:12:45+00:00"
MNIST = {
    "name": "mnist",
    "sha256": hashlib.sha256(b"mnist").hexdigest(),
    "origin": "file /data/mnist.npz",
    "substitute": False,
    "notice": "",
    "test": 10000,
}
DIGITS = {
    "name": "digits",
    "sha256": hashlib.sha256(b"digits").hexdigest(),
    "origin": "scikit-learn's bundled 8x8 digits, scaled to 28x28",
    "substitute": True,
    "notice": "MNIST could not be reached, so scikit-learn's 8x8 digits stand in for it: "
    "accuracies are not comparable with MNIST's.",
    "test": 360,
}
SIGNATURE = Signature(
    (TensorSpec("image", "float32", (None, 28, 28, 1)),), (TensorSpec("digit", "float32", (None, 10)),)
)
VERSIONS = {
    "tensorflow": "2.21.0",
    "keras": "3.15.0",
    "ai-edge-litert": "2.3.1",
    "onnxruntime": "1.27.0",
    "tensorflowjs": "4.22.0",
    "tf2onnx": "1.17.0",
    "numpy": "2.4.1",
}
_LITERT = {"litert": "2.3.1", "delegate": "XNNPACK", "threads": 2, "precision": "float32"}
_ORT = {"onnxruntime": "1.27.0", "provider": "CPUExecutionProvider", "threads": 2, "precision": "float32"}
_BROWSER = {"tfjs": "4.22.0", "browser": "Chromium 156.0.8078.79", "precision": "float32"}
_SWIFTSHADER = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)"


def artifacts() -> list[Artifact]:
    """The artifacts of a passing export."""
    return [
        Artifact("savedmodel", "float32", ".", SIGNATURE, bytes=489_312),
        Artifact("tflite", "float32", "tflite/float32.tflite", SIGNATURE, bytes=421_020),
        Artifact("tflite", "float32", "tflite/float32-batch1.tflite", SIGNATURE.with_batch(1), "batch1", 420_512),
        Artifact("tflite", "float16", "tflite/float16.tflite", SIGNATURE, bytes=214_884),
        Artifact(
            "tfjs", "float32", "tfjs/float32", SIGNATURE, "", 437_608, (("dedupe-constants", 4), ("erfc-to-erf", 2))
        ),
        Artifact(
            "onnx", "float32", "onnx/float32.onnx", SIGNATURE, "", 418_733, notes=("opset 18, ONNX IR version 10",)
        ),
    ]


def cells() -> list[Cell]:
    """Cells as the judge writes them: most pass, some did not run."""
    base = Cell(
        "savedmodel",
        "float32",
        "tensorflow",
        "cpu",
        verdict=Status.PASS,
        max_abs_error=3.1e-07,
        ulp_error=12.4,
        budget_ulp=49.6,
        accuracy=0.9943,
        accuracy_oracle=0.9943,
        samples=10000,
        population=10000,
        repeat_equal=True,
        batches=(1, 3, 1000),
        seconds=3.41,
        histogram=(4120, 2904, 1877, 871, 228),
        environment={"tensorflow": "2.21.0", "threads": 2, "simd": "AVX2 FMA", "precision": "float32", "seed": 7},
    )
    gpu = replace(
        base,
        device="gpu",
        required=False,
        verdict=Status.NOT_RUN,
        reason="No GPU is visible to TensorFlow on this machine.",
        max_abs_error=None,
        ulp_error=None,
        budget_ulp=None,
        accuracy=None,
        accuracy_oracle=None,
        samples=0,
        repeat_equal=None,
        batches=(),
        seconds=0.0,
        histogram=(),
        environment={"seed": 7},
    )
    lite = replace(
        base,
        format="tflite",
        runtime="litert",
        max_abs_error=3.6e-07,
        ulp_error=14.9,
        label_flips=1,
        near_ties=1,
        seconds=1.52,
        histogram=(3902, 2998, 1921, 912, 267),
        environment=_LITERT,
    )
    web = replace(
        base,
        format="tfjs",
        runtime="tfjs-browser",
        device="wasm",
        required=False,
        max_abs_error=4.8e-07,
        ulp_error=21.7,
        seconds=4.9,
        histogram=(3011, 2765, 2310, 1402, 498, 14),
        environment={**_BROWSER, "simd": True, "threads": 2},
    )
    half = replace(
        lite,
        precision="float16",
        max_abs_error=4.1e-04,
        ulp_error=17203.0,
        budget_ulp=406323.0,
        accuracy=0.9942,
        label_flips=3,
        near_ties=3,
        histogram=(0, 0, 0, 3, 41, 210, 702, 1502, 2310, 2408, 1650, 802, 301, 66, 4, 1),
        environment={**_LITERT, "precision": "float16 weights, float32 arithmetic"},
    )
    return [
        base,
        gpu,
        lite,
        replace(lite, variant="batch1", batches=(1,), label_flips=0, near_ties=0, seconds=4.02),
        half,
        replace(
            web, runtime="tfjs-node", required=True, seconds=3.7, environment={"tfjs": "4.22.0", "node": "20.20.2"}
        ),
        web,
        replace(
            web,
            device="webgl",
            ulp_error=33.9,
            max_abs_error=7.5e-07,
            accuracy=0.996,
            accuracy_oracle=0.996,
            samples=500,
            histogram=(88, 131, 140, 92, 40, 9),
            environment={**_BROWSER, "adapter": _SWIFTSHADER, "adapter_is_software": True},
        ),
        replace(
            gpu,
            format="tfjs",
            runtime="tfjs-browser",
            device="webgpu",
            verdict=Status.UNSUPPORTED,
            reason="The browser offers no WebGPU adapter.",
        ),
        replace(
            base,
            format="onnx",
            runtime="onnxruntime",
            max_abs_error=2.9e-07,
            ulp_error=11.2,
            seconds=1.18,
            histogram=(4288, 2930, 1804, 790, 188),
            environment=_ORT,
        ),
        replace(
            gpu,
            format="onnx",
            runtime="onnxruntime",
            reason="onnxruntime has no CUDAExecutionProvider on this machine.",
        ),
    ]


def failed_cell() -> Cell:
    """An ONNX cell of a model with one changed weight."""
    return replace(
        cells()[9],
        verdict=Status.FAIL,
        reason="output 'digit' is off by 913 ULP in row 4821, the budget is 49.6; 3532 of 10024 rows are beyond it",
        max_abs_error=2.2e-05,
        ulp_error=913.0,
        accuracy=0.9940,
        label_flips=4,
        near_ties=1,
        histogram=(2, 31, 190, 910, 2311, 3004, 2330, 908, 260, 49, 5),
    )


def certificate(
    replaced: tuple[Cell, ...] | None = None, dataset: dict[str, Any] | None = None, model: str = "cnn"
) -> dict[str, Any]:
    """A certificate; `replaced` takes the place of all cells."""
    judged = list(replaced) if replaced is not None else cells()
    status = overall(judged)
    written = artifacts()
    checks = [
        {"name": name, "subject": a.label, "verdict": "PASS", "reason": "", "detail": {}}
        for name in ("io-contract", "weights", "builtin-ops")
        for a in written
    ]
    checks.append(
        {
            "name": "capture",
            "subject": "Keras",
            "verdict": "PASS",
            "reason": "",
            "detail": {"rows": 88, "ulp_error": 9.2},
        }
    )
    return {
        "schema": "isomer-certificate/1",
        "model": model,
        "version": 3 if status is Status.PASS else None,
        "status": str(status),
        "created": CREATED,
        "seconds": 38.2,
        "dataset": dataset or MNIST,
        "source": {"kind": "recipe", "name": "cnn", "sha256": hashlib.sha256(b"recipe").hexdigest()},
        "signature": SIGNATURE.to_json(),
        "parameters": 104_906,
        "oracle": {
            "method": "the captured graph with the same float32 weights and constants, every operation in float64",
            "origin": f"the test set of {(dataset or MNIST)['name']}",
            "samples": 10000,
            "awkward": 24,
            "reference_ulp": {"digit": {"dataset": 12.4, "awkward": 5.1}},
            "budget_ulp": {"digit": {"dataset": 49.6, "awkward": 20.4}},
            "multiple": 4.0,
            "floor_ulp": 8.0,
        },
        "artifacts": [a.to_json() for a in written],
        "checks": checks,
        "cells": [c.to_json() for c in judged],
        "confusion": {"labels": [str(d) for d in range(10)], "matrix": _confusion(), "cell": "oracle"},
        "environment": {
            "isomer": "0.1.0",
            "python": "3.11.13",
            "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
            "cpu": "Intel Xeon Processor (Sapphire Rapids), 2 cores",
            "versions": VERSIONS,
            "seed": 7,
        },
    }


def _confusion() -> list[list[int]]:
    support = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    matrix = [[support[r] if r == c else 0 for c in range(10)] for r in range(10)]
    for true, predicted, count in (
        (9, 4, 8), (4, 9, 5), (5, 3, 6), (7, 2, 5), (6, 0, 4), (8, 9, 3), (2, 7, 3), (3, 5, 4), (9, 7, 3), (0, 6, 2),
        (7, 1, 3), (8, 2, 3), (6, 5, 3), (1, 7, 1), (5, 6, 2), (9, 5, 2),
    ):  # fmt: skip
        matrix[true][predicted] += count
        matrix[true][true] -= count
    return matrix


def manifest(document: dict[str, Any] | None = None) -> dict[str, Any]:
    """The manifest of the bundle that the certificate lies in."""
    document = document or certificate()
    sizes = {
        "assets.extra/tf_serving_warmup_requests": 3_224,
        "certificate.json": 14_201,
        "golden/inputs.npz": 25_820,
        "golden/outputs.npz": 2_140,
        "model.keras": 1_291_004,
        "onnx/float32.onnx": 418_733,
        "receipt.json": 4_102,
        "saved_model.pb": 69_120,
        "tfjs/float32/group1-shard1of1.bin": 419_624,
        "tfjs/float32/model.json": 17_984,
        "tflite/float16.tflite": 214_884,
        "tflite/float32-batch1.tflite": 420_512,
        "tflite/float32.tflite": 421_020,
        "variables/variables.data-00000-of-00001": 419_992,
        "variables/variables.index": 200,
    }
    files = [{"path": p, "bytes": n, "sha256": hashlib.sha256(p.encode()).hexdigest()} for p, n in sizes.items()]
    return {
        "schema": "isomer-manifest/1",
        "model": document["model"],
        "version": document["version"],
        "created": document["created"],
        "files": files,
        "artifacts": document["artifacts"],
        "digest": hashlib.sha256(json.dumps(files).encode()).hexdigest(),
    }


def device() -> dict[str, Any]:
    """A device's certificate: one file passes, for another there is no runtime."""
    cell = {
        "format": "tflite",
        "precision": "float32",
        "variant": "batch1",
        "runtime": "litert",
        "device": "pi5",
        "required": False,
        "artifact": "0" * 64,
        "verdict": "PASS",
        "reason": "",
        "samples": 20,
        "max_abs_error": 7.1e-07,
        "ulp_error": 12.0,
        "budget_ulp": 328.0,
        "repeat_equal": True,
        "batches": [1, 27],
        "environment": {"machine": "aarch64", "nearest_kernels": "xnnpack", "difference": 2.4e-07},
        "latency_ms": {"min": 0.2, "p50": 0.21, "p90": 0.25, "p99": 0.4, "calls": 200, "unstable": False},
    }
    keys = ("format", "precision", "variant", "runtime", "device", "required", "artifact", "samples", "environment")
    absent = {**{k: cell[k] for k in keys}, "format": "onnx", "variant": "", "runtime": "onnxruntime", "samples": 0}
    return {
        "schema": "isomer-device-certificate/1",
        "model": "cnn",
        "version": 3,
        "bundle": "1" * 64,
        "kit": "2" * 64,
        "name": "pi5",
        "created": "2026-11-21T19:00:00+00:00",
        "status": "PASS",
        "machine": {"machine": "aarch64", "cpu": "implementer 0x41 part 0xd0b", "threads": 1},
        "cells": [cell, {**absent, "verdict": "NOT_RUN", "reason": "onnxruntime is not installed"}],
    }


def receipt() -> dict[str, Any]:
    """Nine epochs, the seventh kept."""
    train = (0.3121, 0.0921, 0.0702, 0.0588, 0.0511, 0.0462, 0.0421, 0.0388, 0.0361)
    valid = (0.0711, 0.0488, 0.0411, 0.0352, 0.0339, 0.0311, 0.0286, 0.0301, 0.0294)
    accuracy = (0.9018, 0.9719, 0.9785, 0.9818, 0.9839, 0.9857, 0.9868, 0.9879, 0.9888)
    val_accuracy = (0.9790, 0.9858, 0.9880, 0.9897, 0.9901, 0.9910, 0.9921, 0.9915, 0.9919)
    return {
        "schema": "isomer-receipt/1",
        "recipe": {"name": "cnn", "path": "models/cnn.py", "sha256": hashlib.sha256(b"recipe").hexdigest()},
        "dataset": {**{k: v for k, v in MNIST.items() if k != "notice"}, "train": 54000, "validation": 6000},
        "seed": 7,
        "max_epochs": 20,
        "epochs": [
            {
                "epoch": i + 1,
                "loss": train[i],
                "accuracy": accuracy[i],
                "val_loss": valid[i],
                "val_accuracy": val_accuracy[i],
                "learning_rate": 0.001 if i < 6 else 0.0005,
                "seconds": 14.0 + i / 10,
            }
            for i in range(9)
        ],
        "best_epoch": 7,
        "monitor": "val_accuracy",
        "restored": {
            "metric": "val_accuracy",
            "value_best_epoch": 0.9921,
            "value_reevaluated": 0.9921,
            "equal": True,
        },
        "test": {"accuracy": 0.9943, "loss": 0.0179},
        "dropout_inactive": {"runs_bit_equal": True},
        "parameters": 104_906,
        "versions": VERSIONS,
        "machine": {"platform": "Linux-6.1.0-x86_64", "cpu_count": 2},
        "model": {"path": "model.keras", "bytes": 1_291_004, "sha256": hashlib.sha256(b"model").hexdigest()},
        "seconds": 131.4,
    }


def result(document: dict[str, Any] | None = None) -> dict[str, Any]:
    """The line that `--json` prints."""
    document = document or certificate()
    keys = (
        "format", "precision", "variant", "runtime", "device", "verdict", "reason", "max_abs_error", "ulp_error",
        "accuracy",
    )  # fmt: skip
    return {
        "model": document["model"],
        "status": document["status"],
        "bundle": "exports/cnn/3",
        "cells": [{k: c[k] for k in keys} for c in document["cells"]],
        "seconds": 171.9,
    }


def main(directory: Path) -> None:
    """Write every view of a passing and of a failing certificate."""
    from rich.console import Console

    from pipeline.report import card, html, table

    failing = certificate((*cells()[:9], failed_cell(), *cells()[10:]), DIGITS)
    for name, document in (("pass", certificate()), ("fail", failing)):
        (directory / f"{name}.html").write_text(html.render(document, manifest(document), receipt()), encoding="utf-8")
        (directory / f"{name}.md").write_text(card.render(document, manifest(document), receipt()), encoding="utf-8")
        Console(width=100).print(table.matrix(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
