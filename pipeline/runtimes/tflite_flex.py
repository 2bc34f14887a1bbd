"""TensorFlow Lite with the Flex delegate, on the CPU: what runs a TFLite file that holds TensorFlow's own operations.

No package has had the delegate since TensorFlow 2.19, and LiteRT's never had (google-ai-edge/LiteRT, issue 6458), so
that an older TensorFlow in an environment of its own runs these files. `make flex` installs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import litert

VARIABLE = "ISOMER_FLEX_PYTHON"
_ENVIRONMENT = Path(__file__).parents[2] / ".tools" / "flex"
_INSTALL = f"Run `make flex` in isomer's checkout, or let {VARIABLE} name a Python that has TensorFlow 2.18."


def python() -> Path | None:
    """The interpreter whose TensorFlow has the delegate; None where there is none."""
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else _ENVIRONMENT / "bin" / "python"
    return found if found.is_file() else None


class Runtime(litert.Runtime):
    """The interpreter of TensorFlow Lite, otherwise as LiteRT's. Runs in the process of `python`."""

    def __init__(self, device: str) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"TensorFlow Lite cells run on the CPU here, not on '{device}'")
        if python() is None:
            raise RuntimeUnavailable("no TensorFlow Lite with the Flex delegate is installed here.", _INSTALL)
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        try:
            import tensorflow as tf
        except ImportError as error:
            raise RuntimeUnavailable(f"{python()} has no TensorFlow.", _INSTALL) from error
        self._versions = {"tensorflow": tf.__version__, "delegate": "flex"}
        self._create = tf.lite.Interpreter
        self._shapes: dict[str, tuple[int, ...]] = {}

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Load the `.tflite` file.

        Raises:
            RuntimeUnavailable: this TensorFlow has no delegate either, or is older than an operation of the file.
        """
        try:
            environment = super().activate(artifact, path)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            name = f"TensorFlow {self._versions['tensorflow']}"
            if litert.WITHOUT_FLEX in str(error):
                raise RuntimeUnavailable(f"{name} has no Flex delegate.", _INSTALL) from error
            if "Didn't find op" in str(error):
                raise RuntimeUnavailable(f"{name} is older than an operation of the file: {error}.") from error
            raise
        return environment
