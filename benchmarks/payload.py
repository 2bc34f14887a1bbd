"""isomer's web bundle beside the whole library: bytes to send, time to the first prediction in a page, and latency.

The stock way is TF.js' own single file, `tf.min.js`, with `tf.loadGraphModel` and the same TF.js artifact. What is
measured and how: `pipeline.web_bundle.stopwatch`, with which a bundle's report is made, too; here also where WebGL is
software, and without a limit of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.bundle import golden, manifest
from pipeline.errors import BundleError
from pipeline.web_bundle import payload

NAME = "payload: isomer's web bundle / tf.min.js, bytes of code, first prediction and later ones in ms"
AIM = 0.2  # of the bytes by brotli, for a small model on the CPU
_TIME_AIM = 1.0
_MODELS = ("softmax", "mlp", "cnn", "lstm", "vit")


def run(rounds: int, exports: Path) -> dict[str, Any]:
    """Bytes and milliseconds of both sides, by model.

    Args:
        rounds: how often each page is opened.
        exports: where the recipes' bundles are.
    """
    found: dict[str, Any] = {}
    for model in _MODELS:
        try:
            bundle = manifest.locate(exports / model)
            listing = manifest.read(bundle)
        except BundleError as error:
            found[model] = {"reason": str(error)}
            continue
        artifacts = [Artifact.from_json(a) for a in listing["artifacts"]]
        row = golden.read_samples(bundle).judged.take(np.arange(1))
        measured = payload.measure(bundle, artifacts, row, {}, max(rounds, 3), float("inf"))
        found[model] = measured or {"reason": f"{bundle} holds no web bundle."}
    return {"models": found, "aim": AIM}


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """A table of both sides, and their ratios."""
    yield "  model    backend  raw B    gzip B   brotli B   ratio   first: isomer, tf.min.js, ratio   later: both"
    for model, found in figures["models"].items():
        if "reason" in found:
            yield f"  {model}: {found['reason']}"
        for module in found.get("modules", ()):
            ours, theirs = module["bytes"].values()
            sizes = (
                f"{ours['raw']:<8,} {ours['gzip']:<8,} {ours['brotli']:<10,} {ours['brotli'] / theirs['brotli']:<7.3f}"
            )
            yield f"  {model:<8} {module['backend']:<8} {sizes} {_times(module)}"
    yield f"  aim: {AIM:g} of the bytes on the CPU, less than {_TIME_AIM:g} of the time"


def _times(module: dict[str, Any]) -> str:
    if module["reason"]:
        return str(module["reason"])
    first, later = ([median(list_) for list_ in module[name].values()] for name in ("first_ms", "later_ms"))
    return f"{first[0]:>13.0f} {first[1]:>9.0f} {first[0] / first[1]:>9.2f}   {later[0]:>8.2f} {later[1]:>8.2f}"
