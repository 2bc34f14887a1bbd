"""isomer's engine. The verbs of the command line are functions here:

    from pipeline import export, validate

    result = export("cnn")
    print(result.status, result.bundle)

Importing this package imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.benchmarking import benchmark as benchmark
    from pipeline.bundle.manifest import verify as verify
    from pipeline.checking import check as check
    from pipeline.exporting import export as export
    from pipeline.inspecting import inspect as inspect
    from pipeline.pruning import prune as prune
    from pipeline.training import train as train
    from pipeline.tuning import tune as tune
    from pipeline.validating import validate as validate

_VERBS = {
    "benchmark": "pipeline.benchmarking",
    "check": "pipeline.checking",
    "export": "pipeline.exporting",
    "inspect": "pipeline.inspecting",
    "prune": "pipeline.pruning",
    "train": "pipeline.training",
    "tune": "pipeline.tuning",
    "validate": "pipeline.validating",
    "verify": "pipeline.bundle.manifest",
}

__all__ = ["benchmark", "check", "export", "inspect", "prune", "train", "tune", "validate", "verify"]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
