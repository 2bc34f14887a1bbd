"""isomer's files beside the stock converters', in the same runtime: size and time per call, as ratios.

Only where the stock file works at all: it loads, runs at batch one and answers within the same budget. Both files run
in one process with the same options, in turn, on the same row, each as often first as second. Whatever else the machine
does only adds to a time, so that the quickest call of each side is compared. Each model has a process of its own: what
converters leave in memory does not add up, and one that dies is one model's.

Run as a module with a model and a number of rounds, it compares one: python -m benchmarks.artifacts recipe/cnn 3.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from corpus import all_models
from corpus.model import Model, settle

from benchmarks.coverage import judged, today
from pipeline import formats, recipes
from pipeline.artifact import Artifact
from pipeline.cells import Status
from pipeline.formats import tfjs
from pipeline.parity.verdict import judge_outputs

NAME = "files: isomer / stock converters, size and time per call"
AIM = 1.0
_RUNTIMES = {entry.format: entry for entry in judged.ENTRIES}
_RECIPES = ("mlp", "cnn", "lstm", "gru", "vit")
_CORPUS = (
    "applications/MobileNetV2/32",
    "applications/EfficientNetB0/32",
    "applications/ResNet50V2/32",
    "applications/ConvNeXtTiny/32",
    "topologies/open_unet",
    "topologies/transformer",
    "layers/LSTM/masked",
    "layers/GRU/masked_sequences",
    "layers/GRU/open_length",
    "layers/SimpleRNN/stacked",
    "layers/Bidirectional/LSTM",
    "layers/ConvLSTM2D/plain",
)
# A SavedModel is TensorFlow's own on both sides.
_COMPARED = ("tflite", "onnx", "tfjs")
# Seconds that one model may take.
_PATIENCE = 1800
# A measurement is this long at least, so that a clock's steps and a stray interrupt do not count.
_SECONDS = 0.1


def run(rounds: int) -> dict[str, Any]:
    """Ratios by model and format, with their geometric mean and the worst.

    Args:
        rounds: how often each pair is timed, twice in turn.
    """
    files: dict[str, Any] = {}
    for name in (*(f"recipe/{recipe}" for recipe in _RECIPES), *_CORPUS):
        files |= {f"{name} {what}": found for what, found in _alone(name, rounds).items()}
    summary = {}
    for key in ("bytes", "seconds"):
        ratios = {name: f[key] for name, f in files.items() if f.get(key) is not None}
        if not ratios:
            continue
        worst = max(ratios, key=lambda name: ratios[name])
        mean = exp(fmean(log(r) for r in ratios.values()))
        summary[key] = {"geometric_mean": mean, "worst": ratios[worst], "worst_of": worst, "pairs": len(ratios)}
    return {"files": files, "summary": summary, "aim": AIM}


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The result in words."""
    yield f"  {'ratio of':<40} bytes seconds"
    for name, pair in figures["files"].items():
        said = f"{pair['bytes']:5.2f} {pair['seconds']:7.2f}" if "bytes" in pair else next(iter(pair.values()))
        yield f"  {name:<40} {said}"
    for what, ratio in figures["summary"].items():
        mean, worst, name = ratio["geometric_mean"], ratio["worst"], ratio["worst_of"]
        yield f"  {what:<8} {mean:.2f} in the geometric mean of {ratio['pairs']}, at worst {worst:.2f} ({name})"


def _alone(name: str, rounds: int) -> dict[str, Any]:
    """What is found of one model, by format, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.artifacts", name, str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return {"": {"failed": f"no answer within {_PATIENCE} s"}}
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"": {"failed": said[-1]}}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _model(name: str) -> Model:
    if name.startswith("recipe/"):
        recipe = recipes.load(recipes.find(name.removeprefix("recipe/")))
        return Model(name, lambda: settle(recipe.build()))
    return next(m for m in all_models() if m.name == name)


def _compare(model: Model, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with tempfile.TemporaryDirectory(prefix="isomer-bench-") as scratch:
        root = Path(scratch)
        (root / "ours").mkdir()
        prepared = judged.prepare(model, root)
        for format in _COMPARED:
            convert = STOCK[format]
            entry = next(f for f in formats.FORMATS if f.name == format)
            ours = entry.load().write(prepared.captured, root / "ours", "float32")[0]
            try:
                with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                    path = convert(prepared.model, root / format)
                theirs = Artifact(format, "float32", path.name, entry.load().signature(path), bytes=formats.size(path))
                reason = _judge(theirs, path, prepared)
            except Exception as error:
                reason = judged.words(error)
            if reason:
                yield format, {"stock": f"today's file: {reason}"}
                continue
            pair = ((ours, ours.locate(root / "ours")), (theirs, path))
            quickest = [float("inf"), float("inf")]
            for side in [0, 1, 1, 0] * rounds:
                quickest[side] = min(quickest[side], _time(*pair[side], prepared))
            yield (
                format,
                {
                    "bytes": ours.bytes / theirs.bytes,
                    "seconds": quickest[0] / quickest[1],
                    "measured": {"bytes": [ours.bytes, theirs.bytes], "seconds": quickest},
                },
            )


def _judge(artifact: Artifact, path: Path, prepared: judged.Prepared) -> str:
    """Why the stock file does not work; empty if it does."""
    few = prepared.evidence.take(np.arange(3))
    with judged.in_process(_RUNTIMES[artifact.format]) as worker:
        worker.activate(artifact, path)
        outputs, _ = worker.infer(_fed(artifact, few.judged.tensors), 1)
    found = [judge_outputs(o, few.exact, few.reference, few.budgets) for o in today.named(outputs, few.exact)]
    return "" if any(f.status is Status.PASS for f in found) else found[0].reason


def _time(artifact: Artifact, path: Path, prepared: judged.Prepared) -> float:
    """Seconds of one call with one row: the quickest of many, since whatever disturbs only adds."""
    row = _fed(artifact, prepared.evidence.judged.take(np.arange(1)))
    with judged.in_process(_RUNTIMES[artifact.format]) as worker:
        worker.activate(artifact, path)
        worker.infer(row, 1)
        best, began = float("inf"), time.perf_counter()
        while time.perf_counter() - began < _SECONDS:
            best = min(best, worker.infer(row, 1)[1])
    return best


def _fed(artifact: Artifact, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    wanted = artifact.signature.inputs
    fed = today.feed(rows, [t.name for t in wanted], [t.shape for t in wanted])
    return {t.name: fed[t.name].astype(t.dtype) for t in wanted}


def _tflite(model: Any, directory: Path) -> Path:
    import tensorflow as tf

    directory.mkdir()
    (directory / "stock.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return directory / "stock.tflite"


def _onnx(model: Any, directory: Path) -> Path:
    directory.mkdir()
    model.export(directory / "stock.onnx", format="onnx", verbose=False)
    return directory / "stock.onnx"


def _tfjs(model: Any, directory: Path) -> Path:
    model.export(directory / "saved_model", format="tf_saved_model", verbose=False)
    # The flag is the kindest choice for them: without it no loop runs.
    convert = tfjs._converter().convert_tf_saved_model
    convert(str(directory / "saved_model"), str(directory / "stock"), control_flow_v2=True)
    return directory / "stock"


def _savedmodel(model: Any, directory: Path) -> Path:
    model.export(directory, format="tf_saved_model", verbose=False)
    return directory


STOCK: dict[str, Callable[[Any, Path], Path]] = {
    "savedmodel": _savedmodel,
    "tflite": _tflite,
    "onnx": _onnx,
    "tfjs": _tfjs,
}


if __name__ == "__main__":
    result = dict(_compare(_model(sys.argv[1]), int(sys.argv[2])))
    print(json.dumps(result))
