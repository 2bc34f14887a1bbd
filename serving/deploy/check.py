"""Replays a bundle's golden samples against any running server, and judges the answers by the certificate's budgets."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from serving.contract.tensors import strings
from serving.errors import EnvironmentFault, Refused, ServingError, StartFault
from serving.lifecycle import versions
from serving.lifecycle.bundle import Bundle
from serving.lifecycle.gate import judge
from serving.lifecycle.samples import Samples
from serving.signature import Signature, TensorSpec

_TIMEOUT = 60.0
# Rows of one request; and rows that are also asked alone, since requests mostly are.
_ROWS = 32
_SINGLES = 3

# Rows of inputs to rows of outputs.
Ask = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Verdict:
    """What one way to a server answered.

    Attributes:
        way: REST or gRPC; `address`: of it.
        rows: that were asked.
        error_ulp, budget_ulp: of the row that came closest to its budget.
        reason: why it failed; empty if it passed.
    """

    way: str
    address: str
    rows: int
    error_ulp: float = 0.0
    budget_ulp: float = 0.0
    reason: str = ""

    @property
    def passed(self) -> bool:
        return not self.reason


def check(
    url: str,
    bundle: Path,
    grpc: str | None = None,
    name: str | None = None,
    latest: bool = False,
    token: str = "",
    authority: Path | None = None,
    artifact: str | None = None,
) -> list[Verdict]:
    """Ask a server for the golden samples.

    Args:
        url: of its REST API, such as http://localhost:8501.
        bundle: a version's directory, or its base path for the newest version.
        grpc: host and port of its gRPC services; None leaves them out.
        name: the model's name there; the base path's if None.
        latest: ask without naming the version, as where a server knows no versions.
        token: sent as bearer token.
        authority: PEM file of who signed the server's certificate.
        artifact: the file below the version's directory that is served, if that is no float32.

    Returns:
        One verdict for each way.

    Raises:
        StartFault: there is no bundle, or no such server.
        ServingError: the bundle is damaged.
    """
    directory = _locate(bundle)
    model = name or directory.resolve().parent.name
    version = None if latest else int(directory.name)
    read = Bundle(directory)
    samples, signature = read.samples(None if artifact is None else directory / artifact), read.signature
    ways: list[tuple[str, str, Ask]] = [("REST", url, _rest(url, model, version, signature, token, authority))]
    if grpc is not None:
        ways.append(("gRPC", grpc, _grpc(grpc, model, version, signature, token, authority)))
    return [_replay(way, address, ask, signature, samples) for way, address, ask in ways]


def _locate(bundle: Path) -> Path:
    try:
        found = versions.versions(bundle)
    except OSError as error:
        raise StartFault(f"There is no bundle in '{bundle}'.", "Name a version's directory, or its parent.") from error
    if found:
        return found[max(found)]
    if not bundle.resolve().name.isdigit():
        raise StartFault(f"There is no bundle in '{bundle}'.", "Name a version's directory, or its parent.")
    return bundle.resolve()


def _replay(way: str, address: str, ask: Ask, signature: Signature, samples: Samples) -> Verdict:
    """All rows together, some of them also alone; all alone where rows change each other's answers."""
    size = 1 if signature.fixed_batch == 1 or samples.alone else _ROWS
    parts = [slice(i, min(i + size, samples.rows)) for i in range(0, samples.rows, size)]
    parts += [slice(i, i + 1) for i in range(min(_SINGLES, samples.rows))]
    worst = (0.0, 0.0, 0.0)
    try:
        for rows in parts:
            answer = ask({n: v[rows] for n, v in samples.inputs.items()})
            worst = max(worst, judge(answer, samples, rows))
    except ServingError as error:
        return Verdict(way, address, samples.rows, reason=error.message)
    return Verdict(way, address, samples.rows, worst[1], worst[2])


def _rest(url: str, model: str, version: int | None, signature: Signature, token: str, authority: Path | None) -> Ask:
    parsed = urlsplit(url if "://" in url else f"http://{url}")
    if parsed.scheme not in ("http", "https") or not parsed.hostname:
        raise StartFault(f"'{url}' is no address.", "Give one such as http://localhost:8501.")
    where = "" if version is None else f"/versions/{version}"
    path = f"{parsed.path.rstrip('/')}/v1/models/{quote(model)}{where}:predict"
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        body = json.dumps({"inputs": {name: _plain(value) for name, value in inputs.items()}})
        if parsed.scheme == "https":
            trust = ssl.create_default_context(cafile=authority)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parsed.hostname or "", parsed.port, timeout=_TIMEOUT, context=trust
            )
        else:
            connection = http.client.HTTPConnection(parsed.hostname or "", parsed.port, timeout=_TIMEOUT)
        try:
            connection.request("POST", path, body.encode(), headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFault(f"Cannot ask {url}: {error}.", "Is the server up, and the port REST's?") from error
        finally:
            connection.close()
        try:
            document = json.loads(content)
        except ValueError as error:
            raise Refused(f"the answer is no JSON (status {response.status})") from error
        if response.status != http.client.OK:
            raise Refused(f"the server answered {response.status}: {document.get('error', content[:200])}")
        return _arrays(document.get("outputs"), signature)

    return ask


def _grpc(
    address: str, model: str, version: int | None, signature: Signature, token: str, authority: Path | None
) -> Ask:
    import grpc

    from serving.protos import message
    from serving.rpc.tensors import to_array, to_proto

    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    if authority is None:
        channel = grpc.insecure_channel(address, options)
    else:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(authority.read_bytes()), options)
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def ask(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        request = message("PredictRequest")(model_spec={"name": model})
        if version is not None:
            request.model_spec.version.value = version
        for name, value in inputs.items():
            to_proto(value, request.inputs[name])
        try:
            content = call(request.SerializeToString(), timeout=_TIMEOUT, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise EnvironmentFault(
                    f"Cannot ask {address}: {error.details()}.", "Is the server up, and the port gRPC's?"
                ) from error
            raise Refused(f"the server answered {error.code().name}: {error.details()}") from error
        outputs = message("PredictResponse").FromString(content).outputs
        specs = {spec.name: spec for spec in signature.outputs}
        if outputs.keys() != specs.keys():
            raise Refused(f"the outputs are {sorted(outputs)}, the certificate says {sorted(specs)}")
        return {n: to_array(outputs[n], spec, 1 << 30) for n, spec in specs.items()}

    return ask


def _plain(value: np.ndarray) -> Any:
    """An array as JSON has it; bytes as objects with their base64."""
    if value.dtype != object and value.dtype.kind not in "SU":
        return value.tolist()
    flat = [v.encode() if isinstance(v, str) else bytes(v) for v in value.reshape(-1).tolist()]
    coded = np.empty(len(flat), dtype=object)
    coded[:] = [{"b64": base64.b64encode(v).decode()} for v in flat]
    return coded.reshape(value.shape).tolist()


def _arrays(outputs: Any, signature: Signature) -> dict[str, np.ndarray]:
    """The columns of an answer; the only output has no name there."""
    specs = {spec.name: spec for spec in signature.outputs}
    named = {next(iter(specs)): outputs} if len(specs) == 1 else outputs
    if not isinstance(named, dict) or named.keys() != specs.keys():
        raise Refused(f"the answer has not the certificate's outputs, {sorted(specs)}")
    return {name: _array(named[name], spec) for name, spec in specs.items()}


def _array(value: Any, spec: TensorSpec) -> np.ndarray:
    if spec.dtype != "string":
        try:
            return np.array(value, dtype=spec.dtype)
        except (ValueError, TypeError, OverflowError) as error:
            raise Refused(f"output '{spec.name}' is no tensor of {spec.dtype}") from error
    array = np.array(value, dtype=object)
    flat = [base64.b64decode(v["b64"]) if isinstance(v, dict) else str(v).encode() for v in array.reshape(-1)]
    return strings(flat).reshape(array.shape)
