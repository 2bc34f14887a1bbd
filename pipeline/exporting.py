"""Export: one capture, every format, judged in every runtime, published as a bundle."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import (
    calibration,
    formats,
    precisions,
    preprocessing,
    reducing,
    runtimes,
    sources,
    user_module,
    writing,
)
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, golden_reduced, manifest, publish
from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.checks import check_artifacts, check_capture
from pipeline.errors import ModelError, UsageError, describe, first_line
from pipeline.formats import FormatEntry
from pipeline.invocation import parse
from pipeline.outcome import Outcome
from pipeline.parity import oracle, reduced
from pipeline.parity.evidence import Evidence
from pipeline.parity.gathering import gather
from pipeline.parity.judge import judge, left_out
from pipeline.parity.judge_reduced import judge_reduced
from pipeline.parity.reduced import Reduced
from pipeline.progress import Observer
from pipeline.runtimes import early_start
from pipeline.sources import Loaded, Source
from pipeline.web_bundle import payload
from pipeline.web_bundle.collection import expected_of, judged_formats, write_all
from pipeline.writing import Refusal

OUTPUT = Path("exports")
RUNS = Path("runs")
RECEIPT = "receipt.json"


def export(
    model: str,
    *,
    format: Sequence[str] = (),
    precision: Sequence[str] = (),
    gate: float = precisions.GATES[0],
    output: Path = OUTPUT,
    data: Path | None = None,
    runtime: Sequence[str] = (),
    device: Sequence[str] = (),
    seed: int = 0,
    epochs: int | None = None,
    runs: Path = RUNS,
    unsafe: bool = False,
    imports: Sequence[Path] = (),
    input: Sequence[str] = (),
    split: bool = False,
    allow_flex: bool = False,
    observer: Observer | None = None,
) -> Outcome:
    """Export one model to every format, judge every cell, and publish the bundle if all is well.

    A format that cannot express the model is UNSUPPORTED and left out, unless it was asked for by name.

    Args:
        model: a recipe's name, the path of a recipe or of a `.keras` file, or a function, "module.py:build".
        format, runtime, device: restrict what is written and run; all by default.
        precision: what else than float32 is written, in the formats that have it; by default what a recipe names.
        gate: share of float32's accuracy that a reduced precision must keep.
        output: below it, `<name>/<version>/` is published.
        data: MNIST as an `.npz`, or arrays by input name.
        seed: of the training and of sampled inputs.
        epochs: train at most so many.
        runs: where trainings are kept and found again.
        unsafe: allow Python code inside a `.keras` file.
        imports: Python files to run first, for the custom layers that they register with Keras.
        input: inputs of a subclassed model that does not store them, such as "ids:int32:?,128", and the ranges of
            whole numbers, "ids:int32:?,128:0..999".
        split: keep what reads strings as a SavedModel, and export the part behind it.
        allow_flex: let a TFLite file hold TensorFlow's own operations where it has no others; it then runs only where
            the Flex delegate is.
        observer: told what goes on.

    Raises:
        UsageError, EnvironmentFault: nothing was published, and what was there is as it was. A ModelError too, where
            a format in `format` cannot express the model.
    """
    began = time.perf_counter()
    observer = observer or Observer()
    source = sources.resolve(model, unsafe)
    declared = tuple(parse(text) for text in input)
    writers = formats.select(format)
    offered = {entry.name: entry.precisions for entry in writers}
    precisions.plan(precision, offered)  # before anything is trained
    chosen_formats = judged_formats(f.name for f in writers)
    entries = runtimes.select(tuple(runtime), tuple(device), chosen_formats, thorough=False)
    with publish.staging(output / source.name) as root, early_start(entries) as start:
        observer.stage(source.name, "starting TensorFlow")
        for file in imports:
            user_module.load(file)
        loaded = sources.load(
            source,
            data=data,
            seed=seed,
            epochs=epochs,
            runs=runs,
            unsafe=unsafe,
            observer=observer,
            declared=declared,
        )
        observer.stage(source.name, "capturing")
        _keep_model(loaded, root / "model.keras", observer)  # first: splitting adds nodes to its layers
        parts = preprocessing.split(loaded.model) if split else None
        subject = loaded if parts is None else replace(loaded, model=parts.core, invocation=parts.invocation)
        captured = capture(subject.model, subject.invocation)
        whole = captured if parts is None else parts.whole
        raw = sources.judged_inputs(loaded, whole, data, seed)
        plan = precisions.plan(precision or loaded.precisions, offered)
        samples = None
        if reducing.is_calibrated(plan) and loaded.dataset is None and data is not None:
            raw, samples = calibration.hold_out(raw, parts, seed)
        judged = raw if parts is None else parts.judged(raw)
        # Executing a graph leaves Python alone, and the converters are all Python: the two share the cores well.
        with ThreadPoolExecutor(1) as executor:
            answers = executor.submit(gather, captured, judged)
            base, refusals = _write(captured, writers, root, source.name, observer, allow_flex)
            _require(format, runtime, device, base, refusals)
            for refusal in refusals:
                observer.notice(f"{refusal.format} is UNSUPPORTED: {refusal.reason}")
            observer.stage(source.name, "computing the exact answers")
            evidence = answers.result()
        if samples is None and reducing.is_calibrated(plan):
            samples = calibration.draw(loaded, whole, parts, judged, seed)
        rows = np.union1d(golden.choose(evidence), reduced.choose(evidence, seed))
        smaller = reducing.reduce(plan, root, captured, base, evidence, rows, samples, observer, source.name)
        refusals = [*refusals, *smaller.refusals]
        checks = [check_capture(captured, subject, evidence), *check_artifacts(root, captured, base, evidence)]
        checks += smaller.checks
        checks += [] if samples is None else [calibration.check(samples, judged)]
        if parts is not None:
            preprocessing.write(parts, root)
            checks += preprocessing.check(parts, root, raw, evidence)
        observer.stage(source.name, "writing the web bundle")
        artifacts = [*base, *smaller.artifacts]
        web = write_all(root, source.name, captured, artifacts, entries, evidence, loaded.dataset)
        artifacts += web.artifacts
        expected = smaller.expected | expected_of(web.artifacts, smaller.expected)
        observer.stage(source.name, "running the cells")
        other = partial(judge_reduced, expected=expected, gate=gate)
        cells = judge(root, artifacts, entries, evidence, seed, start, observer.cell, other)
        cells += left_out(artifacts, entries, thorough=False)
        cells += [*web.cells, *(cell for refusal in refusals for cell in refusal.cells())]
        observer.stage(source.name, "timing the web bundle")
        cost = payload.measure(root, artifacts, evidence.judged.take(np.arange(1)), payload.untimed(cells))
        document = certificate.build(
            model=source.name,
            source=source.to_json(),
            dataset=loaded.dataset,
            signature=captured.signature.to_json(),
            parameters=captured.parameters,
            evidence=evidence,
            oracle=oracle.METHOD,
            artifacts=artifacts,
            calibration=None if samples is None else samples.to_json(),
            preprocessing=None if parts is None else parts.to_json(),
            payload=cost,
            unsupported=[refusal.to_json() for refusal in refusals],
            checks=checks,
            cells=cells,
            seed=seed,
            seconds=time.perf_counter() - began,
        )
        bundle = _finish(root, source, loaded, artifacts, evidence, expected, document)
    return Outcome(source.name, Status(document["status"]), bundle, document, time.perf_counter() - began)


def _write(
    captured: Capture,
    writers: Sequence[FormatEntry],
    root: Path,
    name: str,
    observer: Observer,
    flex: bool,
) -> tuple[list[Artifact], list[Refusal]]:
    artifacts: list[Artifact] = []
    refusals = []
    for entry in writers:
        observer.stage(name, f"writing {entry.name}")
        done = writing.write(captured, entry, root, precisions.FLOAT32, flex)
        if isinstance(done, Refusal):
            refusals.append(done)
            continue
        artifacts += done
        if done[0].flex:
            held = ", ".join(done[0].flex)
            observer.notice(f"{entry.name} holds Flex operations ({held}): plain LiteRT cannot run it.")
    return artifacts, refusals


def _require(
    named: Sequence[str],
    runtime: Sequence[str],
    device: Sequence[str],
    artifacts: Sequence[Artifact],
    refusals: Sequence[Refusal],
) -> None:
    """Raise if what the user asked for by name cannot be had."""
    asked = [refusal for refusal in refusals if refusal.format in named]
    if asked:
        what = " ".join(f"{refusal.format} cannot express {describe(refusal.obstacles)}" for refusal in asked)
        advice = dict.fromkeys(o.advice for refusal in asked for o in refusal.obstacles if o.advice)
        raise ModelError(f"{what} Nothing was published.", " ".join([*advice, "Or leave it out of --format."]))
    try:
        runtimes.select(tuple(runtime), tuple(device), judged_formats(a.format for a in artifacts))
    except UsageError as error:
        what = " ".join(f"{refusal.format} is UNSUPPORTED: {refusal.reason}" for refusal in refusals)
        raise ModelError(f"{error.what} {what}", error.fix) from error


def _finish(
    root: Path,
    source: Source,
    loaded: Loaded,
    artifacts: Sequence[Artifact],
    evidence: Evidence,
    expected: dict[str, Reduced],
    document: dict[str, Any],
) -> Path:
    """Write everything but the artifacts, the manifest last, and rename the bundle to its place."""
    from pipeline.formats import savedmodel
    from pipeline.report import card, html

    passed = document["status"] == Status.PASS
    document["version"] = publish.next_version(root.parent) if passed else None
    if any(a.format == "savedmodel" for a in artifacts):
        savedmodel.write_warmup(root, source.name, evidence.judged.take(np.arange(1)))
    golden.write(root, evidence, with_inputs=loaded.dataset is None)
    golden_reduced.write(root, expected)
    certificate.write(root, document)
    if loaded.receipt is not None:
        (root / RECEIPT).write_text(json.dumps(loaded.receipt, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    version, created = document["version"], document["created"]
    listing = manifest.build(root, source.name, version, created, artifacts)
    (root / "README.md").write_text(card.render(document, listing, loaded.receipt), encoding="utf-8")
    (root / "report.html").write_text(html.render(document, listing, loaded.receipt), encoding="utf-8")
    found = document.get("calibration")
    manifest.write(root, manifest.build(root, source.name, version, created, artifacts, found))
    return publish.publish(root, version) if passed else publish.reject(root)


def _keep_model(loaded: Loaded, target: Path, observer: Observer) -> None:
    """Put the `.keras` file into the bundle; a model in memory is saved, if Keras can."""
    if loaded.file is not None:
        shutil.copyfile(loaded.file, target)
        return
    try:
        loaded.model.save(target)
    except OSError:
        raise
    except Exception as error:
        target.unlink(missing_ok=True)
        observer.notice(f"The bundle holds no model.keras: Keras cannot save this model ({first_line(error)}).")
