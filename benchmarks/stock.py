"""The four files as a user makes them today: Keras' own export, then the converters' command lines in sequence.

Run as a module with a .keras file and a directory, it does the first step.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# tensorflowjs' command line imports packages that this environment leaves out; stand-ins let it start, and its
# conversion runs untouched.
_TFJS = """
import sys, types
class StandIn(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
for name in ("tensorflow_decision_forests", "tensorflow_hub", "tf_keras", "tensorflowjs.converters.jax_conversion"):
    sys.modules[name] = StandIn(name)
from tensorflowjs.converters import converter
converter.convert(["--input_format=tf_saved_model", sys.argv[1], sys.argv[2]])
"""

_TFLITE = """
import sys
import tensorflow as tf
content = tf.lite.TFLiteConverter.from_saved_model(sys.argv[1]).convert()
open(sys.argv[2], "wb").write(content)
"""


def commands(model: Path, out: Path) -> list[list[str]]:
    """The commands, one process each, in order; they write below `out`."""
    python, saved = sys.executable, str(out / "saved_model")
    return [
        [python, "-m", "benchmarks.stock", str(model), saved],
        [python, "-c", _TFLITE, saved, str(out / "model.tflite")],
        [python, "-m", "tf2onnx.convert", "--saved-model", saved, "--output", str(out / "model.onnx"), "--opset", "18"],
        [python, "-c", _TFJS, saved, str(out / "tfjs")],
    ]


def run(model: Path, out: Path) -> None:
    """Run them all; raises `CalledProcessError` with their output if one fails."""
    for command in commands(model, out):
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    import keras

    keras.saving.load_model(sys.argv[1]).export(sys.argv[2], format="tf_saved_model", verbose=False)
