"""TF.js graph models written by hand, for tests of runtimes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

random = np.random.default_rng(0)
KERNEL, BIAS = random.standard_normal((4, 3)).astype(np.float32), random.standard_normal(3).astype(np.float32)
ROWS = {"image": random.standard_normal((7, 4)).astype(np.float32)}


def op(name: str, kind: str, *inputs: str, dtype: str = "DT_FLOAT", **attr: Any) -> dict[str, Any]:
    key = "dtype" if kind in ("Placeholder", "Const") else "T"
    return {"name": name, "op": kind, "input": list(inputs), "attr": {key: {"type": dtype}, **attr}}


def write(
    directory: Path,
    nodes: list[dict[str, Any]],
    inputs: dict[str, str],
    outputs: dict[str, str],
    weights: dict[str, np.ndarray] | None = None,
) -> Path:
    """A graph model whose weights lie in two shards, cut where no weight (and no number) ends.

    The last shard is the smaller one: TF.js 4.22 silently reads zeros from a last shard that is larger.
    """
    directory.mkdir(parents=True, exist_ok=True)
    weights = weights or {}
    data = b"".join(w.tobytes() for w in weights.values())
    cut = len(data) // 2 + 3
    (directory / "a.bin").write_bytes(data[:cut])
    (directory / "b.bin").write_bytes(data[cut:])
    specs = [{"name": k, "shape": list(w.shape), "dtype": w.dtype.name} for k, w in weights.items()]
    types = {n["name"]: next(iter(n["attr"].values()))["type"] for n in nodes}
    signature = {
        kind: {k: {"name": v, "dtype": types.get(v.split(":")[0], "DT_FLOAT")} for k, v in names.items()}
        for kind, names in (("inputs", inputs), ("outputs", outputs))
    }
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "versions": {"producer": 1}},
        "signature": signature,
        "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": specs}] if weights else [],
    }
    (directory / "model.json").write_text(json.dumps(model))
    return directory


def dense(directory: Path, activation: str = "Tanh") -> Path:
    """logits = image @ KERNEL + BIAS; scores = tanh(logits). The signature lists the second output first."""
    nodes = [
        op("w", "Const"),
        op("b", "Const"),
        op("image", "Placeholder", shape={"shape": {"dim": [{"size": "-1"}, {"size": "4"}]}}),
        op("product", "MatMul", "image", "w", transpose_a={"b": False}, transpose_b={"b": False}),
        op("sum", "AddV2", "product", "b"),
        op("Identity", "Identity", "sum"),
        op("activation", activation, "sum"),
        op("Identity_1", "Identity", "activation"),
    ]
    names = {"scores": "Identity_1:0", "logits": "Identity:0"}
    return write(directory, nodes, {"image": "image:0"}, names, {"w": KERNEL, "b": BIAS})
