"""Export: one capture, every format, judged in every runtime, published as a bundle."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import formats, keras_file, runtimes, sources
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, manifest, publish
from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.outcome import Outcome
from pipeline.parity import budget, contract, oracle, weights
from pipeline.parity.contract import Check
from pipeline.parity.inputs import Judged
from pipeline.parity.judge import Evidence, judge, left_out
from pipeline.parity.verdict import judge_outputs
from pipeline.progress import Observer
from pipeline.runtimes import early_start
from pipeline.sources import Loaded, Source

OUTPUT = Path("exports")
RUNS = Path("runs")
RECEIPT = "receipt.json"
_PRECISION = "float32"
# Keras' own run, eager and slow, is compared on this many rows: a wrong capture is wrong on any of them.
_KERAS_ROWS = 64


def export(
    model: str,
    *,
    format: Sequence[str] = (),
    output: Path = OUTPUT,
    data: Path | None = None,
    runtime: Sequence[str] = (),
    device: Sequence[str] = (),
    seed: int = 0,
    epochs: int | None = None,
    runs: Path = RUNS,
    unsafe: bool = False,
    imports: Sequence[Path] = (),
    observer: Observer | None = None,
) -> Outcome:
    """Export one model to every format, judge every cell, and publish the bundle if all is well.

    Args:
        model: a recipe's name, or the path of a recipe or a `.keras` file.
        format, runtime, device: restrict what is written and run; all by default.
        output: below it, `<name>/<version>/` is published.
        data: MNIST as an `.npz`, or arrays by input name.
        seed: of the training and of sampled inputs.
        epochs: train at most so many.
        runs: where trainings are kept and found again.
        unsafe: allow Python code inside a `.keras` file.
        imports: Python files to run first, for the custom layers that they register with Keras.
        observer: told what goes on.

    Raises:
        UsageError, EnvironmentFault: nothing was published, and what was there is as it was.
    """
    began = time.perf_counter()
    observer = observer or Observer()
    source = sources.resolve(model, unsafe)
    writers = formats.select(format)
    entries = runtimes.select(tuple(runtime), tuple(device), tuple(f.name for f in writers))
    with publish.staging(output / source.name) as root, early_start(entries) as start:
        observer.stage(source.name, "starting TensorFlow")
        for file in imports:
            keras_file.import_module(file)
        loaded = sources.load(source, data=data, seed=seed, epochs=epochs, runs=runs, unsafe=unsafe, observer=observer)
        observer.stage(source.name, "capturing")
        captured = capture(loaded.model)
        judged = sources.judged_inputs(loaded, captured.signature, data, seed)
        # Executing a graph leaves Python alone, and the converters are all Python: the two share the cores well.
        with ThreadPoolExecutor(1) as executor:
            answers = executor.submit(gather, captured, judged)
            artifacts = []
            for entry in writers:
                observer.stage(source.name, f"writing {entry.name}")
                artifacts += entry.load().write(captured, root, _PRECISION)
            observer.stage(source.name, "computing the exact answers")
            evidence = answers.result()
        checks = [_check_capture(captured, loaded, evidence), *_check_artifacts(root, captured, artifacts)]
        observer.stage(source.name, "running the cells")
        cells = judge(root, artifacts, entries, evidence, seed, start, observer.cell)
        cells += left_out(artifacts, entries)
        document = certificate.build(
            model=source.name,
            source=source.to_json(),
            dataset=loaded.dataset,
            signature=captured.signature.to_json(),
            parameters=captured.parameters,
            evidence=evidence,
            oracle=oracle.METHOD,
            artifacts=artifacts,
            checks=checks,
            cells=cells,
            seed=seed,
            seconds=time.perf_counter() - began,
        )
        bundle = _finish(root, source, loaded, artifacts, evidence, document)
    return Outcome(source.name, Status(document["status"]), bundle, document, time.perf_counter() - began)


def gather(captured: Capture, judged: Judged) -> Evidence:
    """Exact outputs and budgets on the judged rows."""
    exact = oracle.run_oracle(captured, judged.tensors)
    reference = oracle.run_reference(captured, judged.tensors)
    return Evidence(judged, exact, reference, budget.derive(exact, reference, judged.regular))


def _check_capture(captured: Capture, loaded: Loaded, evidence: Evidence) -> Check:
    """The capture is the model: Keras' own run, layer by layer, is within the capture's budget, twice."""
    judged = evidence.judged
    rows = np.concatenate([np.arange(min(_KERAS_ROWS, judged.regular)), np.arange(judged.regular, judged.rows)])
    few = evidence.take(rows)
    first = oracle.run_keras(loaded.model, captured, few.judged.tensors)
    found = judge_outputs(first, few.exact, few.reference, few.budgets)
    detail = {"rows": len(rows), "ulp_error": found.ulp_error if np.isfinite(found.ulp_error) else None}
    if found.status is not Status.PASS:
        return Check("capture", "Keras", Status.FAIL, f"the captured graph is not the model: {found.reason}", detail)
    second = oracle.run_keras(loaded.model, captured, few.judged.tensors)
    if not all(np.array_equal(first[n], second[n], equal_nan=first[n].dtype.kind == "f") for n in first):
        return Check("capture", "Keras", Status.FAIL, "two inference runs differ: something random is active", detail)
    return Check("capture", "Keras", Status.PASS, "", detail)


def _check_artifacts(root: Path, captured: Capture, artifacts: Sequence[Artifact]) -> list[Check]:
    from pipeline.legalize import legalize

    checks = []
    for artifact in artifacts:
        module = next(f for f in formats.FORMATS if f.name == artifact.format).load()
        path = artifact.locate(root)
        operators = module.operators(path)
        checks.append(contract.check_signature(artifact, captured.signature))
        checks.append(contract.check_operators(artifact, operators, module.foreign(operators)))
        expected = None
        if artifact.format != "savedmodel":
            batch = 1 if artifact.variant == "batch1" else None
            expected = legalize(captured, artifact.format, batch).constants
        checks.append(weights.check_weights(artifact.label, captured.weights, expected, module.constants(path)))
    return checks


def _finish(
    root: Path,
    source: Source,
    loaded: Loaded,
    artifacts: Sequence[Artifact],
    evidence: Evidence,
    document: dict[str, Any],
) -> Path:
    """Write everything but the artifacts, the manifest last, and rename the bundle to its place."""
    from pipeline.formats import savedmodel
    from pipeline.report import card, html

    passed = document["status"] == Status.PASS
    document["version"] = publish.next_version(root.parent) if passed else None
    if any(a.format == "savedmodel" for a in artifacts):
        savedmodel.write_warmup(root, source.name, evidence.judged.take(np.arange(1)))
    shutil.copyfile(loaded.file, root / "model.keras")
    golden.write(root, evidence, with_inputs=loaded.dataset is None)
    certificate.write(root, document)
    if loaded.receipt is not None:
        (root / RECEIPT).write_text(json.dumps(loaded.receipt, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    version, created = document["version"], document["created"]
    listing = manifest.build(root, source.name, version, created, artifacts)
    (root / "README.md").write_text(card.render(document, listing, loaded.receipt), encoding="utf-8")
    (root / "report.html").write_text(html.render(document, listing, loaded.receipt), encoding="utf-8")
    manifest.write(root, manifest.build(root, source.name, version, created, artifacts))
    return publish.publish(root, version) if passed else publish.reject(root)
