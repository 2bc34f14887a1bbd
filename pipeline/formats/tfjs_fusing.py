"""What grappler fuses depends on the CPU that converts; here it is held to what every TF.js backend has."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

_PRODUCTS = ("_FusedMatMul", "_FusedConv2D", "FusedDepthwiseConv2dNative")
# TF.js 4.22, backend-wasm, `FusableActivation`; an activation of another name stops the model there.
_TAKEN = frozenset({"BiasAdd", "NoOp", "Relu", "Relu6", "Prelu", "LeakyRelu", "Sigmoid", "Elu"})
_FUSED = ("_Fused", "_Mkl")
_HARD_SWISH = "_FusedHardSwish"
_THREE, _SIXTH = "hard_swish/three", "hard_swish/sixth"


def stays_fused(model: dict[str, Any]) -> bool:
    """Whether TF.js can run what grappler's `remap` has fused, once `part_activations` is done with it.

    It takes the sum of a product and a full matrix for a bias, which the wasm backend refuses; and with oneDNN's
    kernels in TensorFlow it also makes operations that nobody else has.
    """
    parted = [n["op"] for n in model["modelTopology"]["node"] if n["op"] != _HARD_SWISH]
    inner = [n["op"] for n in nodes(model)[len(model["modelTopology"]["node"]) :]]
    if any(op.startswith(_FUSED) and op not in _PRODUCTS for op in (*parted, *inner)):
        return False
    ranks = {w["name"]: len(w["shape"]) for group in model["weightsManifest"] for w in group["weights"]}
    fused = [n for n in nodes(model) if n["op"] in _PRODUCTS and len(n["input"]) > 2]
    return all(ranks.get(n["input"][2].split(":")[0]) == 1 for n in fused)


def part_activations(model: dict[str, Any]) -> dict[str, np.ndarray]:
    """Make operations of their own of fused activations that a backend lacks.

    Returns values of placeholders that were added to the graph, by name: they are to become constants.
    """
    topology = model["modelTopology"]
    _part(topology["node"])
    for function in topology.get("library", {}).get("function", []):
        _part(function.get("nodeDef", []))
    return _part_hard_swish(topology["node"])


def nodes(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations of a `model.json`, those of its functions included."""
    topology = model["modelTopology"]
    functions = topology.get("library", {}).get("function", [])
    return [*topology["node"], *(n for f in functions for n in f.get("nodeDef", []))]


def _part(graph: list[dict[str, Any]]) -> None:
    for node in [n for n in graph if n["op"] in _PRODUCTS]:
        fused = [base64.b64decode(s).decode() for s in node["attr"]["fused_ops"]["list"]["s"]]
        if fused[-1] in _TAKEN:
            continue
        name, inner = node["name"], f"{node['name']}/product"
        node["name"] = inner
        node["attr"]["fused_ops"]["list"]["s"] = [base64.b64encode(f.encode()).decode() for f in fused[:-1]]
        graph.append({"name": name, "op": fused[-1], "input": [inner], "attr": {"T": node["attr"]["T"]}})


def _part_hard_swish(graph: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """x relu6(x + 3) / 6, which grappler fuses where TensorFlow has oneDNN's kernels; not in a loop's body."""
    found = [node for node in graph if node["op"] == _HARD_SWISH]
    if not found:
        return {}
    kind = {"T": found[0]["attr"]["T"]}
    for node in found:
        x, name = node["input"][0], node["name"]
        graph += [
            {"name": f"{name}/shifted", "op": "AddV2", "input": [x, _THREE], "attr": kind},
            {"name": f"{name}/gate", "op": "Relu6", "input": [f"{name}/shifted"], "attr": kind},
            {"name": f"{name}/scaled", "op": "Mul", "input": [f"{name}/gate", _SIXTH], "attr": kind},
        ]
        node["op"], node["input"], node["attr"] = "Mul", [x, f"{name}/scaled"], kind
    constants = {_THREE: np.array(3, np.float32), _SIXTH: np.array(1 / 6, np.float32)}
    graph += [{"name": name, "op": "Placeholder", "attr": {"dtype": kind["T"]}} for name in constants]
    return constants
