"""Peak memory of one conversion: the capture and the writing of one format, in a process of its own.

The peak is counted above what the process holds once TensorFlow, Keras and the converter are imported, so that it can
be set beside the size of the weights. The model itself, once in memory, is part of it.

Run as a module with a model, a format and a side, it does one conversion: python -m benchmarks.memory dense tflite.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

NAME = "memory: peak of a conversion, in sizes of the weights"
AIM = 4.0
_SIDES = ("isomer", "stock")
_FORMATS = ("savedmodel", "tflite", "onnx", "tfjs")
# What is allocated once whatever the model: a peak of a few weights would say more of it than of them.
_LEAST_BYTES = 50_000_000
# A conversion that asks for more is stopped there: nobody else on the machine shall pay for it.
_MOST_BYTES = 5 << 30


def _dense() -> Any:
    import keras

    x = keras.Input((2048,), name="x")
    y = x
    for units in (4096, 4096, 4096, 2048):
        y = keras.layers.Dense(units, activation="relu")(y)
    return keras.Model(x, y, name="dense")


def _mobilenet() -> Any:
    import keras

    return keras.applications.MobileNetV2(weights=None)


_MODELS: dict[str, Callable[[], Any]] = {"MobileNetV2": _mobilenet, "dense": _dense}


def run(models: tuple[str, ...] = tuple(_MODELS)) -> dict[str, Any]:
    """Peaks by model, format and side, with the largest ratio of ours among models whose weights matter."""
    files: dict[str, dict[str, Any]] = {}
    for model in models:
        for format in _FORMATS:
            for side in _SIDES:
                files.setdefault(f"{model} {format}", {})[side] = _measure(model, format, side)
    ratios = {name: pair["isomer"]["ratio"] for name, pair in files.items() if _counts(pair["isomer"])}
    worst = max(ratios, key=lambda name: ratios[name], default=None)
    summary = {} if worst is None else {"worst": ratios[worst], "worst_of": worst}
    return {"files": files, "summary": summary, "aim": AIM}


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The result in words."""
    yield f"  {'MB above the imports, and in sizes of the weights':<52} {'isomer':>16} {'stock':>16}"
    for name, pair in figures["files"].items():
        cells = [
            f"{side['peak'] / 1e6:,.0f} MB {side['ratio']:5.1f}" if "peak" in side else side["failed"][:16]
            for side in (pair[s] for s in _SIDES)
        ]
        weights = next((s["weights"] for s in pair.values() if "weights" in s), 0) / 1e6
        yield f"  {name + f' ({weights:.0f} MB)':<52} {cells[0]:>16} {cells[1]:>16}"
    if figures["summary"]:
        worst, name = figures["summary"]["worst"], figures["summary"]["worst_of"]
        yield f"  at worst {worst:.1f} times the weights ({name}; aim: {figures['aim']:.0f} or less)"


def _counts(side: dict[str, Any]) -> bool:
    return side.get("weights", 0) >= _LEAST_BYTES


def _measure(model: str, format: str, side: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", model, format, side]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        lacking = any(word in done.stderr for word in ("MemoryError", "bad_alloc", "Cannot allocate"))
        return {"failed": f"over {_MOST_BYTES >> 30} GiB" if lacking else said[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _convert(name: str, format: str, side: str) -> dict[str, Any]:
    """In the child: import, build, convert, and what the peak was."""
    import keras

    from benchmarks import artifacts
    from pipeline import formats
    from pipeline.capture import capture

    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
    entry = next(f for f in formats.FORMATS if f.name == format)
    module = entry.load()
    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with tempfile.TemporaryDirectory(prefix="isomer-bench-") as directory:
        scratch = Path(directory)
        for stage in ("warm", "measured"):  # the first conversion imports what converters import late
            root = scratch / stage
            root.mkdir()
            before = peak()
            model = small if stage == "warm" else _MODELS[name]()
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                if side == "isomer":
                    module.write(capture(model), root, "float32")
                else:
                    artifacts.STOCK[format](model, root / "stock")
    weights = sum(w.numpy().nbytes for w in model.weights)
    return {"weights": weights, "peak": peak() - before, "ratio": (peak() - before) / weights}


def peak() -> int:
    """The most bytes that this process had in memory.

    On Linux not by `getrusage`, which counts the parent's too: a child shares its memory until it calls exec.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(s.split()[1]) << 10 for s in status.read_text().splitlines() if s.startswith("VmHWM:"))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    result = _convert(*sys.argv[1:4], *(["isomer"] if len(sys.argv) < 4 else []))
    print(json.dumps(result))
