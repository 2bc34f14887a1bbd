"""TFLite Micro's own interpreter, and LiteRT's CompiledModel: other ways to run the file with a batch of one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import frameworks, mcu, runtimes, validating
from pipeline.artifact import Artifact
from pipeline.bundle import manifest
from pipeline.cells import Cell, Status
from pipeline.report import view
from pipeline.runtimes.worker import Worker
from pipeline.signature import Signature, TensorSpec

try:
    import tflite_micro  # noqa: F401
except ImportError:
    pytestmark = pytest.mark.skip(reason="tflite-micro is for Linux on x86-64, Python 3.11 and 3.12: not here")


@pytest.fixture(scope="module")
def cells(tiny_bundle: Path) -> dict[str, list[Cell]]:
    done = validating.validate(tiny_bundle, runtime=["litert-compiled", "tflite-micro"])
    found: dict[str, list[Cell]] = {}
    for cell in done.cells:
        found.setdefault(f"{cell.runtime}/{cell.device}", []).append(cell)
    return found


def test_the_file_of_one_row_passes_in_tflite_micro(cells: dict[str, list[Cell]]) -> None:
    (cell,) = cells["tflite-micro/cpu"]
    assert (cell.variant, cell.verdict, cell.required) == ("batch1", Status.PASS, False)
    assert cell.environment["kernels"] == "reference"
    assert 0 < cell.environment["arena_bytes"] < 100_000
    assert "Its tensors take" in view.remark(cell)


def test_compiled_models_compute_what_the_interpreter_does(cells: dict[str, list[Cell]]) -> None:
    assert [(c.variant, c.verdict) for c in cells["litert-compiled/cpu"]] == [
        ("", Status.PASS),
        ("batch1", Status.PASS),
    ]


def test_a_gpu_is_what_it_says_it_is(cells: dict[str, list[Cell]]) -> None:
    (cell,) = cells["litert-compiled/gpu"]
    if cell.verdict is Status.NOT_RUN:
        pytest.skip(cell.reason)
    assert cell.verdict is Status.PASS, cell.reason
    if re.search("SwiftShader|llvmpipe|CPU", cell.environment["adapter"]):
        assert cell.environment["adapter_is_software"]
        assert "not a GPU" in view.remark(cell)


def test_they_run_where_they_are_asked_for() -> None:
    assert not {"litert-compiled", "tflite-micro"} & {e.name for e in runtimes.select((), ("cpu", "gpu"))}


def int8(directory: Path) -> tuple[Path, np.ndarray]:
    """A convolution in whole numbers, inputs and outputs included, and rows for it."""
    frameworks.load()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 1), batch_size=1, name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dense(10, activation="softmax", name="y")(keras.layers.Flatten()(x))
    model = keras.Model(image, x)
    rows = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    archive = directory / "saved"
    model.export(archive, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(archive))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in rows)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = directory / "int8.tflite"
    path.write_bytes(converter.convert())
    return path, np.round(rows * 255 - 128).astype(np.int8)


def test_whole_numbers_are_bit_equal_to_the_reference_kernels(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path, rows = int8(tmp_path)
    reference = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runner = reference.get_signature_runner("serving_default")
    (source,), (target,) = runner.get_input_details(), runner.get_output_details()
    expected = np.concatenate([runner(**{source: row[None]})[target] for row in rows])
    assert len(np.unique(expected)) > 10
    signature = Signature((TensorSpec(source, "int8", (1, 8, 8, 1)),), (TensorSpec(target, "int8", (1, 10)),))
    artifact = Artifact("tflite", "int8", path.name, signature, variant="batch1")
    with Worker("pipeline.runtimes.tflm", "cpu") as worker:
        environment = worker.activate(artifact, path)
        answers, _ = worker.infer({source: rows}, 1)
    step, zero = reference.get_output_details()[0]["quantization"]
    assert np.array_equal(answers[target], (expected.astype(np.int32) - zero).astype(np.float32) * np.float32(step))
    assert environment["arena_bytes"] > 0


# A bare Cortex-M3: the first two words are the stack's end and where to start; the emulator takes what is written.
CORTEX_M3 = """
extern void _start(void);
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {(void *)0x20400000, (void *)_start};
void _init(void) {}
void _fini(void) {}
"""
CORTEX_M3_FLAGS = ["-mcpu=cortex-m3", "-mthumb", "--specs=rdimon.specs", "-nostartfiles", "-Wl,-Ttext=0x100"]
CORTEX_M3_FLAGS += ["-Wl,--section-start=.vectors=0"]
MPS2 = ["qemu-system-arm", "-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "none"]
MPS2 += ["-semihosting-config", "enable=on,target=native", "-kernel"]


@pytest.mark.parametrize(
    ("compiler", "flags", "start", "run"),
    [("cc", [], "", []), ("arm-none-eabi-gcc", CORTEX_M3_FLAGS, CORTEX_M3, MPS2)],
    ids=["here", "cortex-m3"],
)
def test_the_c_array_is_the_file(
    compiler: str, flags: list[str], start: str, run: list[str], tiny_bundle: Path, tmp_path: Path
) -> None:
    for program in (compiler, *run[:1]):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    artifacts = [Artifact.from_json(a) for a in manifest.read(tiny_bundle)["artifacts"]]
    artifact = mcu.choose(artifacts)
    assert artifact is not None and artifact.variant == "batch1"
    mcu.write(tiny_bundle, artifact, tmp_path)
    header = (tmp_path / "model.h").read_text()
    assert "X(Conv2D)" in header and "X(FullyConnected)" in header and "X(Softmax)" in header
    measured, _ = mcu.arena(tiny_bundle, artifact)
    assert measured is not None
    program = f'#include "model.h"\n#include <stdio.h>\n{start}'
    program += "int main(void) { fwrite(model_data, 1, sizeof model_data, stdout); return MODEL_ARENA_BYTES < %d; }"
    (tmp_path / "dump.c").write_text(program % measured)
    files: list[Any] = [tmp_path / "dump.c", tmp_path / "model.c"]
    if start:
        found = [compiler, *flags, "-print-file-name=rdimon-crt0.o"]
        files.append(subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip())
    command = [compiler, "-std=c99", "-Wall", "-Werror", *flags, *files, "-o", tmp_path / "dump"]
    subprocess.run(command, check=True)
    done = subprocess.run([*run, tmp_path / "dump"], capture_output=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout == artifact.locate(tiny_bundle).read_bytes()


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        ("CONV_2D", "Conv2D"),
        ("BATCH_MATMUL", "BatchMatMul"),
        ("SPLIT_V", "SplitV"),
        ("RELU6", "Relu6"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM"),
    ],
)
def test_operators_have_the_names_of_the_resolver(operator: str, name: str) -> None:
    assert mcu._registered(operator) == name
