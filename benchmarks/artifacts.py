"""isomer's files beside the stock converters', in the same runtime: size and time per call, as ratios.

Only where the stock file works at all: it loads, runs at batch one and answers within the same budget. Both files run
in one process with the same options, in turn, on the same row.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from math import exp, log
from pathlib import Path
from statistics import fmean, median
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
_RECIPES = ("mlp", "cnn", "lstm", "vit")
_CORPUS = (
    "applications/MobileNetV2/32",
    "applications/EfficientNetB0/32",
    "applications/ResNet50V2/32",
    "applications/ConvNeXtTiny/32",
    "topologies/open_unet",
    "topologies/transformer",
)
# A SavedModel is TensorFlow's own on both sides.
_COMPARED = ("tflite", "onnx", "tfjs")
# A measurement is this long at least, so that a clock's steps and a stray interrupt do not count.
_SECONDS = 0.1


def run(rounds: int) -> dict[str, Any]:
    """Ratios by model and format, with their geometric mean and the worst.

    Args:
        rounds: how often each pair is timed, in turn.
    """
    files = {f"{m.name} {format}": found for m in _models() for format, found in _compare(m, rounds)}
    summary = {}
    for key in ("bytes", "seconds"):
        ratios = {name: f[key] for name, f in files.items() if f.get(key) is not None}
        worst = max(ratios, key=lambda name: ratios[name])
        mean = exp(fmean(log(r) for r in ratios.values()))
        summary[key] = {"geometric_mean": mean, "worst": ratios[worst], "worst_of": worst, "pairs": len(ratios)}
    return {"files": files, "summary": summary, "aim": AIM}


def _models() -> Iterator[Model]:
    for name in _RECIPES:
        yield Model(f"recipe/{name}", lambda name=name: settle(recipes.load(recipes.find(name)).build()))
    known = {m.name: m for m in all_models()}
    yield from (known[name] for name in _CORPUS)


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
                yield format, {"stock": reason}
                continue
            pair = ((ours, ours.locate(root / "ours")), (theirs, path))
            seconds = [[_time(a, p, prepared) for a, p in pair] for _ in range(rounds)]
            ratio = median(s[0] for s in seconds) / median(s[1] for s in seconds)
            yield format, {"bytes": ours.bytes / theirs.bytes, "seconds": ratio, "measured": seconds}


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
