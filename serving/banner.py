"""What the server prints when it is up: where the models are, and one request to try."""

from __future__ import annotations

import json

from serving.lifecycle.model import Model, Models
from serving.signature import Signature

# Requests up to so many numbers are shown in full in the example.
_SHORT_ROW = 16


def banner(models: Models, address: str, web: bool = False) -> str:
    """A few lines for the terminal.

    Args:
        web: there is a page, too.
    """
    served = [m for m in models.by_name.values() if m.available]
    if not served:
        return f"isomer serves no model yet at {address}: it watches for versions, and the log says what was refused"
    lines = [f"isomer serves {', '.join(m.name for m in served)} at {address} (TF Serving compatible REST). Try:"]
    if web:
        lines.append(f"  {address}/  in a browser")
    return "\n".join([*lines, *(f"  {line}" for line in _example(served[0], address))])


def _example(model: Model, address: str) -> list[str]:
    servable = model.available[0].servable
    assert servable is not None  # available means that
    signature = next(iter(servable.signatures.values()))
    url = f"{address}/v1/models/{model.name}"
    sizes = [s or 1 for s in signature.inputs[0].shape or ()][1:]
    numbers = 1
    for size in sizes:
        numbers *= size
    if len(signature.inputs) > 1 or signature.inputs[0].dtype == "string":
        return [f"curl -s {url}/metadata"]
    zero = _zero(signature)
    if numbers <= _SHORT_ROW:
        value: object = zero
        for size in reversed(sizes):
            value = [value] * size
        return [f"curl -s -d '{json.dumps({'instances': [value]})}' {url}:predict"]
    nested = json.dumps(zero).replace("false", "False")
    for size in reversed(sizes):
        nested = f"[{nested}] * {size}"
    code = f'import json; print(json.dumps({{"instances": [{nested}]}}))'
    return [f"python3 -c '{code}' | curl -s -d @- {url}:predict"]


def _zero(signature: Signature) -> float | int | bool:
    dtype = signature.inputs[0].dtype
    return 0.0 if dtype.startswith("float") else False if dtype == "bool" else 0
