"""What grappler fuses depends on the CPU that converts; here it is held to what every TF.js backend has."""

from __future__ import annotations

import base64
from typing import Any

_PRODUCTS = ("_FusedMatMul", "_FusedConv2D", "FusedDepthwiseConv2dNative")
# TF.js 4.22, backend-wasm, `FusableActivation`; an activation of another name stops the model there.
_TAKEN = frozenset({"BiasAdd", "NoOp", "Relu", "Relu6", "Prelu", "LeakyRelu", "Sigmoid", "Elu"})


def fuses_a_matrix(model: dict[str, Any]) -> bool:
    """Whether the sum of a product and a full matrix was taken for a bias, which TF.js' wasm backend refuses."""
    ranks = {w["name"]: len(w["shape"]) for group in model["weightsManifest"] for w in group["weights"]}
    fused = [n for n in nodes(model) if n["op"] in _PRODUCTS and len(n["input"]) > 2]
    return any(ranks.get(n["input"][2].split(":")[0]) != 1 for n in fused)


def part_activations(model: dict[str, Any]) -> None:
    """Make operations of their own of fused activations that a backend lacks."""
    topology = model["modelTopology"]
    _part(topology["node"])
    for function in topology.get("library", {}).get("function", []):
        _part(function.get("nodeDef", []))


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
