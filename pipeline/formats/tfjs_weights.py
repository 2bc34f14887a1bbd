"""Large weights of a TF.js graph model: put in behind the converter, as constants and in the shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_SHARD = 4 << 20  # the converter's; browsers keep files of this size in their caches


def put_back(path: Path, model: dict[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """Make constants of the placeholders that have these names, in `model.json`'s content and the shards beside it.

    A weight that the graph has come to read in another form is left out.
    """
    if not weights:
        return
    inputs = model["signature"]["inputs"]
    model["signature"]["inputs"] = {k: t for k, t in inputs.items() if t["name"].split(":")[0] not in weights}
    topology = model["modelTopology"]
    called = [function["nodeDef"] for function in topology.get("library", {}).get("function", [])]
    read = {
        source.split(":")[0] for nodes in (topology["node"], *called) for n in nodes for source in n.get("input", ())
    }
    topology["node"] = [n for n in topology["node"] if n["name"] not in weights or n["name"] in read]
    found = [node for node in topology["node"] if node["name"] in weights]
    for node in found:
        shape = {"dim": [{"size": str(size)} for size in weights[node["name"]].shape]}
        node["op"] = "Const"
        node["attr"] = {
            "dtype": node["attr"]["dtype"],
            "value": {"tensor": {"dtype": node["attr"]["dtype"]["type"], "tensorShape": shape}},
        }
    entries = [e for group in model["weightsManifest"] for e in group["weights"]]
    shards = [path / shard for group in model["weightsManifest"] for shard in group["paths"]]
    before = b"".join(shard.read_bytes() for shard in shards)
    for shard in shards:
        shard.unlink()
    values = [weights[node["name"]] for node in found]
    entries += [
        {"name": n["name"], "shape": [*v.shape], "dtype": v.dtype.name} for n, v in zip(found, values, strict=True)
    ]
    paths = _write(path, [memoryview(before), *(_bytes(v) for v in values)])
    model["weightsManifest"] = [{"paths": paths, "weights": entries}]


def _write(path: Path, parts: list[memoryview]) -> list[str]:
    """Write the parts as one stream, cut into shards; returns the names of the files."""
    count = -(-sum(len(part) for part in parts) // _SHARD)
    names = [f"group1-shard{k + 1}of{count}.bin" for k in range(count)]
    waiting = list(parts)
    for name in names:
        with (path / name).open("wb") as file:
            while waiting and (left := _SHARD - file.tell()):
                file.write(waiting[0][:left])
                waiting[0] = waiting[0][left:]
                if not len(waiting[0]):
                    waiting.pop(0)
    return names


def _bytes(value: np.ndarray) -> memoryview:
    return np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
