"""What each method of the two services answers, as TensorFlow Serving answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np

from serving.contract import results
from serving.contract.paths import Target
from serving.contract.tensors import strings
from serving.errors import Code, FailedPrecondition, InvalidArgument, ServingError
from serving.inference.executor import Executor
from serving.inference.job import Job
from serving.lifecycle.loading import Servable
from serving.lifecycle.model import Models
from serving.metrics import UNKNOWN, Metrics
from serving.protos import message
from serving.rest.operations import Operations
from serving.rpc.answers import define, fill, fill_result, name_version, read_tasks, wanted_outputs
from serving.rpc.examples import read
from serving.rpc.tensors import to_array, to_proto
from serving.settings import Limits
from serving.signature import DEFAULT_SIGNATURE, Signature

_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_SIGNATURES = "signature_def"
# Numbers of the enum ModelVersionStatus.State.
_STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}

Tensors = Mapping[str, np.ndarray]


class Services:
    """The methods, each a coroutine from request to response that raises ServingError.

    Args:
        reload: takes a ModelServerConfig, or raises ServingError.
        operations: knows whether the server is ready.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        executor: Executor,
        metrics: Metrics,
        reload: Callable[[Any], Awaitable[None]],
        operations: Operations,
    ) -> None:
        self._models = models
        self._limits = limits
        self._executor = executor
        self._metrics = metrics
        self._reload = reload
        self.operations = operations

    def count(self, method: str, request: Any, code: Code, seconds: float) -> None:
        """Count one call."""
        spec = getattr(request, "model_spec", None)
        if spec is None and getattr(request, "tasks", None):
            spec = request.tasks[0].model_spec
        model = spec.name if spec is not None and spec.name in self._models.by_name else UNKNOWN
        self._metrics.asked(model, method, "GRPC", code.name, seconds)

    async def predict(self, request: Any, seconds: float | None) -> Any:
        """PredictRequest to PredictResponse."""
        servable = self._find(request.model_spec)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = servable.signatures.get(name)
        if signature is None:
            raise FailedPrecondition(f'Serving signature key "{name}" not found.')
        inputs = self._inputs(signature, request.inputs)
        wanted = wanted_outputs(signature, request.output_filter)

        def finish(outputs: Tensors) -> Any:
            response = message("PredictResponse")()
            name_version(response.model_spec, servable, name)
            for output in wanted:
                to_proto(outputs[output], response.outputs[output])
            return response

        first = next(iter(inputs.values()))
        return await self._submit(servable, signature, inputs, len(first) if first.ndim else 1, finish, seconds)

    async def classify(self, request: Any, seconds: float | None) -> Any:
        """ClassificationRequest to ClassificationResponse."""
        return await self._examples(request, results.CLASSIFY, "ClassificationResponse", seconds)

    async def regress(self, request: Any, seconds: float | None) -> Any:
        """RegressionRequest to RegressionResponse."""
        return await self._examples(request, results.REGRESS, "RegressionResponse", seconds)

    async def multi_inference(self, request: Any, seconds: float | None) -> Any:
        """MultiInferenceRequest to MultiInferenceResponse: several signatures on the same examples."""
        if not request.tasks:
            raise InvalidArgument("Inference request has no tasks")
        servable = self._find(request.tasks[0].model_spec)
        tasks = read_tasks(servable, request.tasks)
        examples = read(request.input)
        self._bound(len(examples))
        response = message("MultiInferenceResponse")()
        for task, signature in tasks:
            result = response.results.add()

            def finish(outputs: Tensors, result: Any = result, method: str = task.method_name) -> None:
                fill(result, method, outputs, len(examples))

            inputs = {signature.inputs[0].name: strings(examples)}
            await self._submit(servable, signature, inputs, len(examples), finish, seconds, "MultiInference")
            name_version(result.model_spec, servable, signature.name)
        return response

    async def get_model_metadata(self, request: Any, _: float | None) -> Any:
        """GetModelMetadataRequest to GetModelMetadataResponse."""
        if not request.HasField("model_spec"):
            raise InvalidArgument("Missing ModelSpec")
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise InvalidArgument(f"Metadata field {field} is not supported")
        servable = self._find(request.model_spec)
        definitions = message("SignatureDefMap")()
        for name, signature in servable.signatures.items():
            define(definitions.signature_def[name], signature)
        response = message("GetModelMetadataResponse")()
        response.model_spec.name = servable.model
        response.model_spec.version.value = servable.version
        packed = response.metadata[_SIGNATURES]
        packed.type_url, packed.value = _TYPE_URL, definitions.SerializeToString()
        return response

    async def get_model_status(self, request: Any, _: float | None) -> Any:
        """GetModelStatusRequest to GetModelStatusResponse."""
        if not request.HasField("model_spec"):
            raise InvalidArgument("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        response = message("GetModelStatusResponse")()
        found = self._models.status(Target("status", spec.name, version))
        for status in sorted(found, key=lambda s: -s.version):
            entry = response.model_version_status.add(version=status.version, state=_STATES[status.state])
            entry.status.error_code, entry.status.error_message = status.code.number, status.message
        return response

    async def handle_reload_config(self, request: Any, _: float | None) -> Any:
        """ReloadConfigRequest to ReloadConfigResponse."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise InvalidArgument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
                "currently supported"
            )
        await self._reload(request.config)
        return message("ReloadConfigResponse")(status={})

    async def _examples(self, request: Any, method: str, response_type: str, seconds: float | None) -> Any:
        servable = self._find(request.model_spec)
        signature = results.find(servable.signatures, request.model_spec.signature_name, method)
        examples = read(request.input)
        self._bound(len(examples))

        def finish(outputs: Tensors) -> Any:
            response = message(response_type)()
            name_version(response.model_spec, servable, signature.name)
            fill_result(response.result, method, outputs, len(examples))
            return response

        api = "Classify" if method == results.CLASSIFY else "Regress"
        inputs = {signature.inputs[0].name: strings(examples)}
        return await self._submit(servable, signature, inputs, len(examples), finish, seconds, api)

    def _find(self, spec: Any) -> Servable:
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        version = spec.version.value if choice == "version" else None
        label = spec.version_label if choice == "version_label" else None
        return self._models.find(Target("predict", spec.name, version, label))

    def _inputs(self, signature: Signature, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
        specs = {spec.name: spec for spec in signature.inputs}
        if len(given) != len(specs):
            sent, known = sorted(given), sorted(specs)
            raise InvalidArgument(
                f"input size does not match signature: {len(sent)}!={len(known)} len({{{','.join(sent)}}}) != "
                f"len({{{','.join(known)}}}). Sent extra: {{{','.join(n for n in sent if n not in specs)}}}. "
                f"Missing but required: {{{','.join(n for n in known if n not in given)}}}."
            )
        for name in given:
            if name not in specs:
                raise InvalidArgument(
                    f"input tensor alias not found in signature: {name}. Inputs expected to be in the set "
                    f"{{{','.join(sorted(specs))}}}."
                )
        arrays = {name: to_array(given[name], spec, self._limits.body) for name, spec in specs.items()}
        first = next(iter(arrays.values()))
        self._bound(len(first) if first.ndim else 1)
        return arrays

    def _bound(self, rows: int) -> None:
        if rows > self._limits.rows:
            raise InvalidArgument(f"The request has {rows} rows, this server takes at most {self._limits.rows}")

    async def _submit(
        self,
        servable: Servable,
        signature: Signature,
        inputs: Mapping[str, np.ndarray],
        rows: int,
        finish: Any,
        seconds: float | None,
        api: str = "Predict",
    ) -> Any:
        """Run a job to its end.

        Args:
            seconds: that the client waits; None if it did not say.
        """
        most = self._limits.request_seconds
        deadline = time.monotonic() + (most if seconds is None else min(seconds, most))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def reply(result: Any) -> None:
            if not future.done():  # else the client has hung up
                future.set_result(result)

        self._executor.submit(servable, Job(signature, inputs, rows, finish, reply, deadline, api))
        result = await future
        if isinstance(result, ServingError):
            raise result
        return result
