"""TensorFlow: the SavedModel, reloaded by its default signature in a process that has never seen Keras' model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.frameworks import hidden
from pipeline.runtimes import cuda
from pipeline.runtimes.base import Tensors, infer_in_batches
from pipeline.signature import DEFAULT_SIGNATURE


def python(device: str) -> Path | None:
    """The interpreter whose TensorFlow computes on the device; None for this one."""
    return cuda.python("tensorflow", device)


class Runtime:
    """TensorFlow on "cpu", "gpu" or "gpu-tf32". The import, seconds long, happens at construction.

    On "gpu" products are computed in float32, on "gpu-tf32" in what NVIDIA's tensor cores take for it (TensorFlow's own
    default); a probe says what it was. Both ask for deterministic operations: a repeated run must give the same bits.
    """

    def __init__(self, device: str) -> None:
        if device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        else:
            cuda.require()  # before the import, which takes seconds
        with hidden("keras", "sklearn"):  # this process has no use for them, and they take seconds
            import tensorflow as tf

        self._tf = tf
        self._device = "/CPU:0"
        self._names: dict[str, Any] = {}
        if device != "cpu":
            gpus = tf.config.list_physical_devices("GPU")
            if not gpus:
                raise RuntimeUnavailable(
                    "no GPU that TensorFlow can see.", "Run `make gpu`: it needs `tensorflow[and-cuda]`."
                )
            self._device = "/GPU:0"
            tf.config.experimental.enable_tensor_float_32_execution(device == "gpu-tf32")
            tf.config.experimental.enable_op_determinism()
            self._names |= {"deterministic": True, "float_bits": self.significand_bits()}
            self._names["adapter"] = str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "?"))

    def significand_bits(self) -> int:
        """How many bits of a factor a matrix product and a convolution keep: 24 of float32, 11 of TF32."""
        identity = np.eye(256, dtype=np.float32)
        for bits in range(24, 1, -1):
            value = np.float32(1 + 2.0 ** (1 - bits))
            with self._tf.device(self._device):
                rows, kernel = self._tf.constant(identity), self._tf.constant(identity * value)
                product = self._tf.linalg.matmul(rows, kernel)
                convolved = self._tf.nn.conv2d(rows[None, None], kernel[None, None], 1, "VALID")
            if product.numpy()[0, 0] == value and convolved.numpy()[0, 0, 0, 0] == value:
                return bits
        return 1

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load the SavedModel at `path`."""
        tf = self._tf
        with tf.device(self._device):
            self._model = tf.saved_model.load(str(path))
        self._function = self._model.signatures[DEFAULT_SIGNATURE]
        return {
            "tensorflow": tf.__version__,
            "device": self._device,
            "threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
            "tf32": bool(tf.config.experimental.tensor_float_32_execution_enabled()) and self._device != "/CPU:0",
            "precision": "float32",
            **self._names,
        }

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the signature's names."""

        def step(rows: Mapping[str, np.ndarray]) -> Tensors:
            with self._tf.device(self._device):
                outputs = self._function(**{k: self._tf.constant(v) for k, v in rows.items()})
            return {name: value.numpy() for name, value in outputs.items()}

        return infer_in_batches(step, inputs, batch)

    def deactivate(self) -> None:
        """Nothing is held outside of the process."""
