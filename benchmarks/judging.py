"""The cost of judging: all native cells of a bundle on the whole test set, beside the bare runtime calls.

Bare means: a process per artifact that imports its runtime, loads the file, runs every test image once in the same
batches, and throws the answers away.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.bundle.manifest import locate

NAME = "judging: native cells with verdicts / bare runtime calls"
AIM = 1.3

_HEAD = """
import sys, os, numpy as np
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
path, batch = sys.argv[1], int(sys.argv[2])
x = (np.load(os.environ["ISOMER_MNIST"])["x_test"] / np.float32(255)).astype(np.float32)
parts = [x[i:i + batch] for i in range(0, len(x), batch)]
"""
_TENSORFLOW = """
import tensorflow as tf
model = tf.saved_model.load(path)
f = model.signatures["serving_default"]
for p in parts: f(image=tf.constant(p))["probabilities"].numpy()
"""
_LITERT = """
from ai_edge_litert.interpreter import Interpreter
i = Interpreter(model_path=path, num_threads=os.cpu_count())
source, sink = i.get_input_details()[0], i.get_output_details()[0]
if batch > 1: i.resize_tensor_input(source["index"], parts[0].shape)
i.allocate_tensors()
for p in parts:
    i.set_tensor(source["index"], p)
    i.invoke()
    i.get_tensor(sink["index"])
"""
_ONNX = """
import onnxruntime
s = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
for p in parts: s.run(["probabilities"], {"image": p})
"""


def run(rounds: int, bundle: Path) -> dict[str, Any]:
    """Seconds of each, and their ratio. `bundle` is one of an MNIST recipe."""
    bundle = locate(bundle)
    bare = [
        (_TENSORFLOW, bundle, 500),
        (_LITERT, bundle / "tflite/float32.tflite", 500),
        (_LITERT, bundle / "tflite/float32-batch1.tflite", 1),
        (_ONNX, bundle / "onnx/float32.onnx", 500),
    ]
    times: dict[str, list[float]] = {"isomer": [], "bare": []}
    for _ in range(rounds):
        began = time.perf_counter()
        for code, path, batch in bare:
            subprocess.run([sys.executable, "-c", _HEAD + code, str(path), str(batch)], check=True, capture_output=True)
        times["bare"].append(time.perf_counter() - began)
        began = time.perf_counter()
        native = ["--runtime", "tensorflow,litert,onnxruntime", "--device", "cpu", "--json"]
        subprocess.run(
            [sys.executable, "-m", "pipeline", "validate", str(bundle), *native], check=True, capture_output=True
        )
        times["isomer"].append(time.perf_counter() - began)
    return {"seconds": times, "ratio": median(times["isomer"]) / median(times["bare"]), "aim": AIM}
