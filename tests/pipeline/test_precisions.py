"""Reduced precisions: every one written, run and judged on two small models; what is wrong with a file is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from command import run

from pipeline import calibration, choosing, datasets, formats, precisions, user_module
from pipeline.artifact import Artifact
from pipeline.bundle import certificate, golden, golden_reduced, manifest
from pipeline.capture import capture
from pipeline.cells import Cell, Status
from pipeline.errors import IsomerError, ModelError, UsageError
from pipeline.exporting import export
from pipeline.formats import tflite
from pipeline.legalize import unrolled
from pipeline.legalize.reachable import operations
from pipeline.outcome import Outcome
from pipeline.parity import oracle
from pipeline.parity.inputs import Judged
from pipeline.parity.judge_reduced import judge_reduced
from pipeline.parity.stored_weights import check_stored
from pipeline.runtimes import RUNTIMES
from pipeline.validating import validate

_RUNTIMES = ("litert", "litert-reference", "onnxruntime", "tfjs-node")
_CONV = """
import keras
from keras import layers

dataset = "digits"
batch_size, epochs = 32, 12
loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
precisions = [
    "float16", "int8-weights", "int4-weights", "uint8-weights", "int8-dynamic", "int8", "int8-io", "int16x8",
]


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Reshape((28, 28, 1))(image)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(32, activation="relu")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax", name="probabilities")(x))


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(5e-3)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)]
"""
_LSTM = """
import keras
from keras import layers


def build():
    keras.utils.set_random_seed(1)
    x = keras.Input((6, 5), name="steps")
    y = layers.Dense(3)(layers.LSTM(8)(x))
    return keras.Model(x, y)
"""


_TWO = "layers.GRU(6)(layers.LSTM(8, return_sequences=True)(x))"
_LARGE = """
import keras
from keras import layers


def build():
    keras.utils.set_random_seed(2)
    x = keras.Input((520,), name="features")
    return keras.Model(x, layers.Dense(10, activation="softmax")(layers.Dense(520, activation="relu")(x)))
"""


_SCALED = """
import keras
from keras import layers


def build():
    keras.utils.set_random_seed(0)
    row = keras.Input((2,), name="row")
    x = layers.Normalization(mean=[40.0, 50000.0], variance=[100.0, 4e8])(row)
    x = layers.Dense(16, activation="tanh")(x)
    return keras.Model(row, layers.Dense(2)(x))
"""
_NORMALIZED = """
import keras
from keras import layers


def build():
    keras.utils.set_random_seed(4)
    x = keras.Input((12,), name="features")
    y = layers.LayerNormalization()(layers.Dense(24, activation="gelu")(x))
    return keras.Model(x, layers.Dense(3)(y))
"""


@pytest.fixture(scope="module")
def conv(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("precisions")
    (home / "small_conv.py").write_text(_CONV)
    return export(str(home / "small_conv.py"), runtime=_RUNTIMES, gate=0.9, output=home / "exports", runs=home / "runs")


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("precisions")
    (home / "net.py").write_text(_LSTM)
    names = ("float16", "int8-weights", "uint8-weights", "int8-dynamic")
    return export(f"{home / 'net.py'}:build", precision=names, runtime=_RUNTIMES, output=home / "exports")


def _cell(outcome: Outcome, format: str, precision: str, runtime: str, variant: str = "") -> Cell:
    wanted = (format, precision, runtime, variant)
    return next(c for c in outcome.cells if (c.format, c.precision, c.runtime, c.variant) == wanted)


def _artifact(outcome: Outcome, format: str, precision: str, variant: str = "") -> Artifact:
    found = [Artifact.from_json(a) for a in outcome.certificate["artifacts"]]
    return next(a for a in found if (a.format, a.precision, a.variant) == (format, precision, variant))


def test_every_precision_is_written_run_and_judged(conv: Outcome) -> None:
    assert conv.status is Status.PASS
    runs = {c.runtime for c in conv.cells if c.verdict is not Status.NOT_RUN}
    for entry in formats.FORMATS[1:]:
        for precision in entry.precisions:
            own = [c for c in conv.cells if (c.format, c.precision) == (entry.name, precision) and c.runtime in runs]
            judged = [c for c in own if c.verdict is not Status.NOT_RUN]
            assert judged, (entry.name, precision)
            assert all(c.verdict is Status.PASS and c.repeat_equal for c in judged)
    cost = _cell(conv, "tflite", "int8", "litert").quantization
    assert cost is not None and cost["cost"]["measure"] == "accuracy" and cost["kernels"] == "xnnpack"
    low, high = cost["cost"]["interval"]
    assert low <= cost["cost"]["difference"] <= high
    assert cost["cost"]["sqnr_db"] > 20
    assert all(c["verdict"] == "PASS" for c in conv.certificate["checks"])


def test_files_are_smaller_and_take_what_they_say(conv: Outcome) -> None:
    for format in ("tflite", "onnx", "tfjs"):
        whole = _artifact(conv, format, "float32").bytes
        small = [a for a in map(Artifact.from_json, conv.certificate["artifacts"]) if a.format == format]
        assert all(a.bytes < whole for a in small if a.precision != "float32")
    inputs = _artifact(conv, "tflite", "int8-io").signature.inputs
    assert [t.dtype for t in inputs] == ["int8"]
    assert _artifact(conv, "tflite", "int8", "batch1").signature.inputs[0].shape[0] == 1
    assert _artifact(conv, "tflite", "int8").signature.outputs[0].shape == (None, 10)


def test_weights_alone_are_judged_as_tightly_as_float32(conv: Outcome) -> None:
    for format, precision, runtime in (
        ("tflite", "float16", "litert"),
        ("tflite", "int8-weights", "litert"),
        ("tflite", "int4-weights", "litert"),
    ):
        reduced, whole = _cell(conv, format, precision, runtime), _cell(conv, format, "float32", runtime)
        assert reduced.ulp_error is not None and reduced.budget_ulp is not None and whole.budget_ulp is not None
        assert reduced.ulp_error <= reduced.budget_ulp <= whole.budget_ulp
        assert reduced.max_abs_error is not None and whole.max_abs_error is not None
        assert reduced.max_abs_error > 10 * whole.max_abs_error  # to float32, where the rounding shows


def test_calibration_rows_come_from_the_training_set_alone(conv: Outcome) -> None:
    drawn = conv.certificate["calibration"]
    dataset = datasets.load("digits")
    assert drawn["origin"] == "the training set of digits"
    assert manifest.read(conv.bundle)["calibration"] == drawn
    assert len(drawn["indices"]) == drawn["rows"] == len(set(drawn["indices"]))
    rows = {row.tobytes() for row in dataset.x_train[drawn["indices"]]}
    assert not rows & {row.tobytes() for row in dataset.x_test}


def test_calibration_that_meets_the_test_set_is_told() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    judged = Judged({"x": rows[:4]}, 4, None, "rows", ())
    apart = calibration.Calibration({"x": rows[4:]}, "others", 0, (4, 5))
    assert calibration.check(apart, judged).verdict is Status.PASS
    found = calibration.check(replace(apart, tensors={"x": rows[3:]}), judged)
    assert found.verdict is not Status.PASS and found.detail["shared"] == 1


def test_the_users_own_rows_are_parted_before_anything_is_judged() -> None:
    rows = np.arange(200, dtype=np.float32).reshape(100, 2)
    judged = Judged({"x": rows}, 98, np.arange(98), "rows", ("zeros", "ones"))
    rest, drawn = calibration.hold_out(judged, None, seed=3)
    assert rest.regular + drawn.rows == 98
    assert rest.rows == rest.regular + 2
    assert rest.labels is not None and np.array_equal(rest.tensors["x"][: rest.regular], rows[rest.labels])
    assert calibration.check(drawn, rest).verdict is Status.PASS


def test_a_bundle_is_validated_again(conv: Outcome) -> None:
    again = validate(conv.bundle, runtime=("litert", "litert-reference"), gate=0.9)
    assert again.status is Status.PASS
    assert _cell(again, "tflite", "int8", "litert").budget_ulp == _cell(conv, "tflite", "int8", "litert").budget_ulp
    strict = validate(conv.bundle, runtime=("litert",), gate=1.0)
    least = [c for c in strict.cells if c.quantization and c.quantization["cost"]["kept"] < 1]
    assert all(c.verdict is Status.FAIL and "the gate is" in c.reason for c in least)


def test_recurrent_model_at_the_precisions_that_loops_allow(lstm: Outcome) -> None:
    assert lstm.status is Status.PASS
    cell = _cell(lstm, "tflite", "int8-dynamic", "litert")
    assert cell.verdict is Status.PASS and cell.quantization is not None
    assert cell.quantization["cost"]["measure"] == "explained"  # no labels and no classes
    refused = [u for u in lstm.certificate["unsupported"] if u["format"] == "onnx"]
    assert [u["precision"] for u in refused] == ["int8-dynamic"]
    assert "weights in fewer bits" in refused[0]["obstacles"][0]["reason"]
    assert _cell(lstm, "onnx", "float32", "onnxruntime").verdict is Status.PASS


def test_weights_of_more_than_a_quarter_of_a_megabyte(tmp_path: Path) -> None:
    """ai-edge-quantizer puts those behind the FlatBuffer, where other readers of the file do not look."""
    (tmp_path / "net.py").write_text(_LARGE)
    made = export(
        f"{tmp_path / 'net.py'}:build",
        precision=("float16", "int8"),
        format=("tflite",),
        runtime=("litert", "litert-reference"),
        gate=0.9,
        output=tmp_path / "exports",
    )
    assert made.status is Status.PASS
    for precision in ("float16", "int8"):
        assert _cell(made, "tflite", precision, "litert").verdict is Status.PASS
        artifact = _artifact(made, "tflite", precision)
        assert artifact.bytes > 256 * 1024
        content = artifact.locate(made.bundle).read_bytes()
        model = schema.Model.GetRootAs(content, 0)
        inside = sum(model.Buffers(k).DataLength() for k in range(model.BuffersLength()))
        assert inside > 256 * 1024


def test_a_normalization_stays_in_floats_where_all_else_is_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_NORMALIZED)
    made = export(
        f"{tmp_path / 'net.py'}:build",
        precision=("int8", "int16x8"),
        format=("tflite", "onnx"),
        runtime=("litert", "onnxruntime"),
        gate=0.95,
        output=tmp_path / "exports",
    )
    assert made.status is Status.PASS
    for precision in ("int8", "int16x8"):
        held = tflite.model_of(_artifact(made, "tflite", precision).locate(made.bundle)).subgraphs[0]
        kinds = {
            kind: {held.tensors[op.outputs[0]].type for op in held.operators if op.opcodeIndex == index}
            for index, kind in enumerate(_kinds(made, precision))
        }
        assert kinds["RSQRT"] == kinds["MEAN"] == {schema.TensorType.FLOAT32}
        assert schema.TensorType.FLOAT32 not in kinds["FULLY_CONNECTED"]
    whole = onnx.load(str(_artifact(made, "onnx", "int8").locate(made.bundle)))
    rounded = {node.input[0] for node in whole.graph.node if node.op_type == "QuantizeLinear"}
    statistics = {node.output[0] for node in whole.graph.node if node.op_type in ("ReduceMean", "Sqrt", "Reciprocal")}
    assert len(statistics) == 4 and not statistics & rounded


def test_features_of_different_scales_survive_whole_numbers(tmp_path: Path) -> None:
    """Years and dollars in one range of 8 bits would leave nothing of the years."""
    (tmp_path / "net.py").write_text(_SCALED)
    rows = np.random.default_rng(0).normal([40, 50_000], [10, 20_000], (500, 2)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", row=rows)
    made = export(
        f"{tmp_path / 'net.py'}:build",
        precision=("int8", "int16x8"),
        format=("tflite", "onnx"),
        runtime=("litert", "onnxruntime"),
        data=tmp_path / "rows.npz",
        output=tmp_path / "exports",
    )
    assert made.status is Status.PASS


def _kinds(outcome: Outcome, precision: str) -> list[str]:
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = tflite.model_of(_artifact(outcome, "tflite", precision).locate(outcome.bundle))
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]


def _doubled_scale(model: object, tensor: object) -> None:
    tensor.quantization.scale = [2 * s for s in tensor.quantization.scale]  # type: ignore[attr-defined]


def _one_weight(model: object, tensor: object) -> None:
    data = np.array(model.buffers[tensor.buffer].data, np.uint8)  # type: ignore[attr-defined]
    data[3] = np.uint8((int(data[3]) + 3) % 256)
    model.buffers[tensor.buffer].data = data  # type: ignore[attr-defined]


def _tampered(outcome: Outcome, precision: str, change: Callable[[object, object], None], home: Path) -> Path:
    """A copy of the bundle whose largest weight of a TFLite file is another one."""
    import flatbuffers

    root = home / "bundle"
    shutil.copytree(outcome.bundle, root)
    path = root / "tflite" / f"{precision}.tflite"
    model = tflite.model_of(path)
    weights = [t for t in model.subgraphs[0].tensors if t.type == schema.TensorType.INT8 and _held(model, t)]
    change(model, max(weights, key=lambda t: len(model.buffers[t.buffer].data)))
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return root


def _held(model: object, tensor: object) -> bool:
    data = model.buffers[tensor.buffer].data  # type: ignore[attr-defined]
    return data is not None and len(data) > 0


@pytest.mark.parametrize("change", [_doubled_scale, _one_weight])
def test_a_wrong_weight_is_found_before_anything_runs(
    conv: Outcome, change: Callable[[object, object], None], tmp_path: Path
) -> None:
    root = _tampered(conv, "int8-weights", change, tmp_path)
    quantizer = next(f for f in formats.FORMATS if f.name == "tflite").load_quantizer()
    base = quantizer.stored(root / "tflite" / "float32.tflite")
    assert check_stored("x", base, quantizer.stored(conv.bundle / "tflite/int8-weights.tflite")).verdict is Status.PASS
    found = check_stored("x", base, quantizer.stored(root / "tflite/int8-weights.tflite"))
    assert found.verdict is Status.FAIL
    assert "steps" in found.reason


def test_a_file_with_a_wrong_scale_fails_when_it_runs(conv: Outcome, tmp_path: Path) -> None:
    root = _tampered(conv, "int8-weights", _doubled_scale, tmp_path)
    found = _judged(root, _artifact(conv, "tflite", "int8-weights"), gate=0.0)
    assert found.verdict is Status.FAIL
    assert "does not compute what the file says" in found.reason


def test_kernels_that_answer_otherwise_than_at_the_export_fail(conv: Outcome) -> None:
    artifact = _artifact(conv, "tflite", "int8")
    assert _judged(conv.bundle, artifact, gate=0.5).verdict is Status.PASS
    found = _judged(conv.bundle, artifact, gate=0.5, moved=2)
    assert found.verdict is Status.FAIL
    assert "unlike the same kernels (xnnpack) at the export" in found.reason


def _judged(root: Path, artifact: Artifact, gate: float, moved: int = 0) -> Cell:
    """The cell of a file in LiteRT, on the bundle's samples; `moved`: the recorded answers by so many steps."""
    evidence = golden.read_samples(root)
    expected = golden_reduced.read(root, evidence)
    own = expected[artifact.label]
    for answers in own.answers.values():
        for name, step in own.quanta.items():
            answers[name] = answers[name] + np.float32(moved * step)
    cell = Cell(artifact.format, artifact.precision, "litert", "cpu", artifact.variant)
    entry = next(e for e in RUNTIMES if e.name == "litert")
    with entry.start() as worker:
        environment = worker.activate(artifact, artifact.locate(root))
        cell = replace(cell, environment=environment)
        return judge_reduced(cell, artifact, evidence, worker, expected=expected, gate=gate)


def test_a_budget_names_the_smallest_and_says_why(conv: Outcome) -> None:
    found = choosing.choose(conv.bundle, conv.certificate, choosing.parse("accuracy=0.5"))
    smallest = min(Artifact.from_json(a).bytes for a in conv.certificate["artifacts"])
    assert found.chosen is not None and found.chosen.artifact.bytes == smallest
    assert "the smallest" in found.reason


def test_a_budget_that_nothing_meets_is_said_once_and_loses_nothing(tiny_model: Path, tmp_path: Path) -> None:
    only = ("--format", "onnx", "--runtime", "onnxruntime", "--output", tmp_path)
    done = run("export", tiny_model, *only, "--precision", "float16", "--gate", "0", "--budget", "size=1B", "--json")
    assert done.code == 1
    (line,) = map(json.loads, done.out.splitlines())
    assert line["status"] == "PASS" and line["choice"]["artifact"] is None
    assert line["choice"]["reason"].startswith("None of 2 artifacts is within the budget: onnx float32: ")
    bundle = tmp_path / "tiny" / "1"
    assert manifest.verify(bundle).intact
    document = certificate.read(bundle)
    found = choosing.choose(bundle, document, choosing.parse("latency=60s"))  # measured now, where cells pass
    assert found.chosen is not None and found.chosen.latency is not None
    assert f"{found.chosen.latency:.3g} ms on onnxruntime/cpu" in found.reason
    assert found.to_json()["latency_ms"] == found.chosen.latency
    assert choosing.choose(bundle, document, choosing.parse("latency=0.000001us")).chosen is None


@pytest.mark.parametrize(
    "text", ["", "size", "size=ten", "weight=3", "accuracy=99", "size=1kB,size=2kB", "latency=3kB"]
)
def test_a_budget_that_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError):
        choosing.parse(text)


def test_limits_have_units() -> None:
    assert choosing.parse("size=50kB, accuracy=0.99,latency=500us") == choosing.Limits(50_000, 0.99, 0.5)


@pytest.mark.parametrize(
    ("names", "offered", "words"),
    [
        (["int7"], {"onnx": ("float32",)}, "There is no precision 'int7'"),
        (["int8-io"], {"onnx": ("float32", "int8")}, "No format that is written here has the precision 'int8-io'"),
    ],
)
def test_a_precision_that_there_is_not(names: list[str], offered: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        precisions.plan(names, offered)
    assert "float16" in str(error.value) or "onnx" in str(error.value)


def test_float32_is_always_there_and_comes_first() -> None:
    found = precisions.plan(["int8", "float16"], {"onnx": ("float32", "float16", "int8"), "savedmodel": ("float32",)})
    assert found == {"onnx": ("float32", "float16", "int8"), "savedmodel": ("float32",)}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("steps")
    (home / "net.py").write_text(_LSTM.replace("layers.LSTM(8)(x)", _TWO))
    names = ("int8", "int8-io", "int16x8")
    return export(f"{home / 'net.py'}:build", precision=names, runtime=_RUNTIMES, gate=0.95, output=home / "exports")


def test_recurrent_model_in_whole_numbers_has_its_loops_written_out(steps: Outcome) -> None:
    assert steps.status is Status.PASS
    for format, precision, runtime in (
        ("tflite", "int8", "litert"),
        ("tflite", "int8", "litert-reference"),
        ("tflite", "int8-io", "litert"),
        ("tflite", "int16x8", "litert"),
        ("onnx", "int8", "onnxruntime"),
    ):
        cell = _cell(steps, format, precision, runtime)
        assert cell.verdict is Status.PASS and cell.batches == (3, 1, 500)
        assert cell.ulp_error is not None and cell.budget_ulp is not None and cell.ulp_error <= cell.budget_ulp
    assert "WHILE" in tflite.operators(_artifact(steps, "tflite", "float32").locate(steps.bundle))
    assert "WHILE" not in tflite.operators(_artifact(steps, "tflite", "int8").locate(steps.bundle))
    assert not [path for path in steps.bundle.iterdir() if path.name.startswith(".")]


def test_loops_written_out_compute_the_same(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_LSTM.replace("layers.LSTM(8)(x)", _TWO))
    captured = capture(user_module.load(tmp_path / "net.py").build())
    opened = unrolled(captured)
    assert "StatelessWhile" not in operations(opened.traced.graph)
    rows = {"steps": np.random.default_rng(0).normal(size=(9, 6, 5)).astype(np.float32)}
    (wanted,), (found,) = (oracle.run_oracle(c, rows).values() for c in (captured, opened))
    assert np.max(np.abs(found - wanted)) < 1e-12 * np.max(np.abs(wanted))


def test_a_precision_that_no_format_can_write_publishes_nothing(tmp_path: Path) -> None:
    """How many steps a loop takes depends on the input: it cannot be written out."""
    (tmp_path / "net.py").write_text(_LSTM.replace("(6, 5)", "(None, 5)"))
    with pytest.raises(ModelError, match="No format can be written at int8, int16x8") as error:
        export(
            f"{tmp_path / 'net.py'}:build",
            precision=("int8", "int16x8", "float16"),
            format=("tflite",),
            runtime=("litert",),
            output=tmp_path / "exports",
        )
    assert "depends on the input" in str(error.value) and "int8-weights" in str(error.value)
    assert not list((tmp_path / "exports").rglob("manifest.json"))


def test_a_recipe_names_precisions_that_exist(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(_CONV.replace('"float16"', '"float17"'))
    with pytest.raises(IsomerError, match="float17"):
        export(str(tmp_path / "wrong.py"), output=tmp_path / "exports", runs=tmp_path / "runs")


def test_documents_follow_their_schemas(conv: Outcome) -> None:
    certificate.read(conv.bundle)
    manifest.require_intact(conv.bundle)
    report = (conv.bundle / "report.html").read_text()
    assert "Precisions" in report and "tflite int4-weights" in report
    json.dumps(conv.to_json())
