"""Export: one capture, every format, judged in every runtime, published as a bundle."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import formats, preprocessing, runtimes, sources, user_module, writing
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, manifest, publish
from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.errors import ModelError, UsageError, describe, first_line
from pipeline.formats import FormatEntry
from pipeline.graphs import depends_on_values
from pipeline.invocation import parse
from pipeline.outcome import Outcome
from pipeline.parity import budget, contract, effect, oracle, weights
from pipeline.parity.contract import Check
from pipeline.parity.inputs import ZEROS, Judged
from pipeline.parity.judge import OTHER_BATCH, Evidence, compare, judge, left_out
from pipeline.progress import Observer
from pipeline.runtimes import early_start
from pipeline.sources import Loaded, Source
from pipeline.writing import Refusal

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
    entries = runtimes.select(tuple(runtime), tuple(device), tuple(f.name for f in writers))
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
        raw = sources.judged_inputs(loaded, captured if parts is None else parts.whole, data, seed)
        judged = raw if parts is None else parts.judged(raw)
        # Executing a graph leaves Python alone, and the converters are all Python: the two share the cores well.
        with ThreadPoolExecutor(1) as executor:
            answers = executor.submit(gather, captured, judged)
            artifacts, refusals = _write(captured, writers, root, source.name, observer, allow_flex)
            _require(format, runtime, device, artifacts, refusals)
            for refusal in refusals:
                observer.notice(f"{refusal.format} is UNSUPPORTED: {refusal.reason}")
            observer.stage(source.name, "computing the exact answers")
            evidence = answers.result()
        checks = [_check_capture(captured, subject, evidence), *_check_artifacts(root, captured, artifacts, evidence)]
        if parts is not None:
            preprocessing.write(parts, root)
            checks += preprocessing.check(parts, root, raw, evidence)
        observer.stage(source.name, "running the cells")
        cells = judge(root, artifacts, entries, evidence, seed, start, observer.cell)
        cells += left_out(artifacts, entries)
        cells += [cell for refusal in refusals for cell in refusal.cells()]
        document = certificate.build(
            model=source.name,
            source=source.to_json(),
            dataset=loaded.dataset,
            signature=captured.signature.to_json(),
            parameters=captured.parameters,
            evidence=evidence,
            oracle=oracle.METHOD,
            artifacts=artifacts,
            preprocessing=None if parts is None else parts.to_json(),
            unsupported=[refusal.to_json() for refusal in refusals],
            checks=checks,
            cells=cells,
            seed=seed,
            seconds=time.perf_counter() - began,
        )
        bundle = _finish(root, source, loaded, artifacts, evidence, document)
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
        done = writing.write(captured, entry, root, _PRECISION, flex)
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
        runtimes.select(tuple(runtime), tuple(device), tuple(dict.fromkeys(a.format for a in artifacts)))
    except UsageError as error:
        what = " ".join(f"{refusal.format} is UNSUPPORTED: {refusal.reason}" for refusal in refusals)
        raise ModelError(f"{error.what} {what}", error.fix) from error


def gather(captured: Capture, judged: Judged) -> Evidence:
    """Exact outputs and budgets on the judged rows."""
    evidence = _answer(captured, judged)
    alone = _change_each_other(captured, evidence)
    others = judged.others
    if alone:
        evidence = _answer(captured, judged, batch=1)
        few = np.arange(min(OTHER_BATCH, judged.regular))
        others = (*others, replace(judged, tensors=judged.take(few), regular=len(few), labels=None, awkward=()))
    sizes = tuple(
        _answer(captured, other, OTHER_BATCH if alone else oracle.BATCH, evidence.budgets) for other in others
    )
    names = sorted(t.name for t in captured.signature.outputs)
    fixed = frozenset(n for n, t in zip(names, captured.traced.outputs, strict=True) if not depends_on_values(t))
    return replace(evidence, sizes=sizes, alone=alone, fixed=fixed)


def _change_each_other(captured: Capture, evidence: Evidence) -> bool:
    """Whether a row's answer depends on the rows that it shares a batch with: a sum or a maximum over the batch."""
    judged = evidence.judged
    rows = np.arange(min(2, judged.regular))
    if ZEROS in judged.awkward:
        rows = np.append(rows, judged.regular + judged.awkward.index(ZEROS))
    few = evidence.take(rows)
    answers = oracle.run_oracle(captured, few.judged.tensors, batch=1)
    return compare(answers, few).status is not Status.PASS


def _answer(
    captured: Capture, judged: Judged, batch: int = oracle.BATCH, least: Mapping[str, budget.Budget] | None = None
) -> Evidence:
    """Evidence on some rows; what a few of them are allowed is at least what many were found to need (`least`)."""
    import tensorflow as tf

    try:
        exact = oracle.run_oracle(captured, judged.tensors, batch)
        reference = oracle.run_reference(captured, judged.tensors, batch)
    except tf.errors.OpError as error:
        words = str(error.message).strip().splitlines() or [""]
        raise ModelError(
            f"The model fails in TensorFlow on {judged.rows} rows ({judged.origin}): {words[-1] or words[0]}.",
            "Does it predict in Keras, in batches of any size? Give real inputs by name in an .npz file with --data.",
        ) from error
    budgets = budget.derive(exact, reference, judged.regular)
    if least is not None:
        budgets = {n: replace(b, limits_ulp=np.maximum(b.limits_ulp, least[n].limit)) for n, b in budgets.items()}
    return Evidence(judged, exact, reference, budgets)


def _check_capture(captured: Capture, loaded: Loaded, evidence: Evidence) -> Check:
    """The capture is the model: Keras' own run, layer by layer, is within the capture's budget, twice."""
    from pipeline.legalize import other_precision, runnable

    judged = evidence.judged
    rows = np.concatenate([np.arange(min(_KERAS_ROWS, judged.regular)), np.arange(judged.regular, judged.rows)])
    few = evidence.take(rows)
    batch = 1 if few.alone else oracle.BATCH
    if other_precision(captured):
        # Keras computes in the model's precision, which is what its own answers are held to.
        own = oracle.run_captured(captured, few.judged.tensors, batch)
        few = replace(few, reference=own, budgets=budget.derive(few.exact, own, few.judged.regular))
    elif legal := runnable(captured):
        named = ", ".join(name for name, _ in legal.rewrites)
        reason = f"TensorFlow, and Keras on it, cannot run this model on a CPU without the rewrites {named}"
        return Check("capture", "Keras", Status.NOT_RUN, reason)
    first = oracle.run_keras(loaded.model, captured, few.judged.tensors, batch)
    found = compare(first, few)
    if found.status is not Status.PASS:
        # TensorFlow rearranges a graph, which may round better than Keras' own order of the same operations does.
        own = oracle.run_as_written(captured, few.judged.tensors, batch)
        few = replace(few, reference=own, budgets=budget.derive(few.exact, own, few.judged.regular))
        found = compare(first, few)
    detail = {"rows": len(rows), "ulp_error": found.ulp_error if np.isfinite(found.ulp_error) else None}
    if found.status is not Status.PASS:
        return Check("capture", "Keras", Status.FAIL, f"the captured graph is not the model: {found.reason}", detail)
    second = oracle.run_keras(loaded.model, captured, few.judged.tensors, batch)
    if not all(np.array_equal(first[n], second[n], equal_nan=first[n].dtype.kind == "f") for n in first):
        return Check("capture", "Keras", Status.FAIL, "two inference runs differ: something random is active", detail)
    return Check("capture", "Keras", Status.PASS, "", detail)


def _check_artifacts(root: Path, captured: Capture, artifacts: Sequence[Artifact], evidence: Evidence) -> list[Check]:
    from pipeline.legalize import legalize

    shown = partial(effect.shown, captured, evidence)
    checks = []
    for artifact in artifacts:
        module = next(f for f in formats.FORMATS if f.name == artifact.format).load()
        path = artifact.locate(root)
        operators = module.operators(path)
        checks.append(contract.check_signature(artifact, captured.signature))
        checks.append(contract.check_operators(artifact, operators, module.foreign(operators)))
        expected = None
        if artifact.format != "savedmodel" or artifact.rewrites:
            batch = 1 if artifact.variant == "batch1" else None
            expected = legalize(captured, artifact.format, batch, bool(artifact.flex)).constants
        held = module.constants(path)
        checks.append(weights.check_weights(artifact.label, captured.weights, expected, held, shown))
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
