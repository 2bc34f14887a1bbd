"""Each rule alone, against the oracle, and what it leads to in the target's runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import keras
import numpy as np
import pytest
import tensorflow as tf
from rule_cases import Case, all_cases

from pipeline import formats, runtimes
from pipeline.capture import Capture, capture
from pipeline.legalize import legalize, registry, rewriter
from pipeline.parity import measure, oracle
from pipeline.parity.inputs import Tensors

CASES = all_cases()
RULES = {rule.name: rule for rule in registry.all_rules()}
BATCHES = (3, 1)
RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime", "tfjs": "tfjs-node"}
PAIRS = [(case, target) for case in CASES for target in RULES[case.rule].targets]
RUN = [(case, target) for case, target in PAIRS if case.run and target in registry.FORMATS]


def ids(pairs: list[tuple[Case, str]]) -> list[str]:
    return [f"{case.id}-{target}" for case, target in pairs]


_captures: dict[int, Capture] = {}


def captured(case: Case) -> Capture:
    """A case's capture, made once for each builder."""
    if id(case.build) not in _captures:
        keras.utils.set_random_seed(0)
        _captures[id(case.build)] = capture(case.build(np.random.default_rng(crc32(case.name.encode()))))
    return _captures[id(case.build)]


def rows(case: Case, subject: Capture, batch: int) -> Tensors:
    random = np.random.default_rng(batch)
    specs = subject.signature.inputs
    shapes = {t.name: (batch, *(5 if size is None else size for size in t.shape[1:])) for t in specs}
    return {t.name: case.draw(random, shapes[t.name], t.dtype) for t in specs}


def assert_close(case: Case, found: Tensors, exact: Tensors) -> None:
    assert found.keys() == exact.keys()
    for name, truth in exact.items():
        assert found[name].shape == truth.shape
        if truth.dtype.kind != "f":
            assert np.array_equal(found[name].astype(np.bytes_), truth.astype(np.bytes_))
            continue
        errors = measure.ulp_errors(found[name], truth, measure.scale(truth, len(truth)))
        assert errors.max() <= case.ulp


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts every rule that is applied, the structural ones too."""
    count: Counter[str] = Counter()
    plain = registry.rules_for

    def counting(entry: registry.Rule) -> registry.Rule:
        def apply(*args: Any) -> Any:
            result = entry.apply(*args)
            count[entry.name] += result is not None
            return result

        return replace(entry, apply=apply)

    monkeypatch.setattr(
        rewriter, "rules_for", lambda target: {o: [*map(counting, r)] for o, r in plain(target).items()}
    )
    yield count


@pytest.mark.parametrize(("case", "target"), PAIRS, ids=ids(PAIRS))
def test_the_rewritten_graph_computes_the_same(case: Case, target: str, applied: Counter[str]) -> None:
    # A capture of its own: legalizations are remembered per capture.
    subject = replace(captured(case))
    legal = legalize(subject, target)
    assert applied[case.rule] > 0
    assert (case.rule in dict(legal.rewrites)) != RULES[case.rule].structural
    if _operations(legal.concrete.graph) & {"XlaDynamicUpdateSlice"} or _has_groups(legal.concrete.graph):
        # TensorFlow runs these only under XLA; the formats that get them have them built in.
        compute = tf.function(legal.function, jit_compile=True, autograph=False)
    else:
        compute = legal.function
    for batch in BATCHES:
        inputs = rows(case, subject, batch)
        if target == registry.ORACLE:
            found, exact = oracle.run_oracle(subject, inputs), oracle.run_reference(subject, inputs)
        else:
            kinds = [t.dtype for t in legal.function.input_signature]
            flat = [inputs[t.name] for t in subject.signature.inputs]
            # TF.js takes whole numbers of 32 bits alone.
            outputs = compute(
                *(
                    tf.constant(v if k == tf.string else v.astype(k.as_numpy_dtype))
                    for v, k in zip(flat, kinds, strict=True)
                )
            )
            found, exact = {n: np.asarray(v) for n, v in outputs.items()}, oracle.run_oracle(subject, inputs)
        assert_close(case, found, exact)


@pytest.mark.parametrize(("case", "target"), RUN, ids=ids(RUN))
def test_the_artifact_runs_in_its_runtime(case: Case, target: str, tmp_path: Path) -> None:
    subject = captured(case)
    module = formats.select((target,))[0].load()
    entry = runtimes.select((RUNTIMES[target],))[0]
    runtime = runtimes.create(entry.module, entry.device)
    for artifact in module.write(subject, tmp_path, "float32"):
        if artifact.variant and any(None in t.shape for t in artifact.signature.inputs):
            continue  # a static batch, but open sizes behind it: covered by the dynamic file
        path = artifact.locate(tmp_path)
        assert not module.foreign(module.operators(path))
        try:
            runtime.activate(artifact, path)
            for batch in BATCHES if artifact.signature.dynamic_batch else (1,):
                inputs = rows(case, subject, batch)
                assert_close(case, runtime.infer(inputs, batch), oracle.run_oracle(subject, inputs))
        finally:
            runtime.deactivate()


def test_every_rule_has_a_case() -> None:
    """A new rule needs a model that shows it: add one to the `cases_<family>.py` beside this file."""
    assert {case.rule for case in CASES} == set(RULES)


def test_every_rule_says_why_in_a_sentence() -> None:
    for rule in RULES.values():
        assert rule.why.endswith(".") and len(rule.why) > 20, rule.name
        assert rule.ops and set(rule.targets) <= {*registry.EVERY, registry.SEQUENTIAL, registry.UNROLLED}, rule.name


def _operations(graph: Any) -> set[str]:
    definition = graph.as_graph_def()
    return {n.op for n in [*definition.node, *(n for f in definition.library.function for n in f.node_def)]}


def _has_groups(graph: Any) -> bool:
    """A convolution whose kernel is less deep than its input."""
    found = [op for op in graph.get_operations() if op.type == "Conv2D" and op.get_attr("data_format") == b"NHWC"]
    return any(op.inputs[0].shape[-1] != op.inputs[1].shape[-2] for op in found)
