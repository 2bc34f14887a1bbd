"""LiteRT's CompiledModel on the CPU, and on a GPU through its WebGPU accelerator (Dawn on Vulkan)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes import diversion
from pipeline.runtimes.base import Tensors, infer_in_batches
from pipeline.signature import DEFAULT_SIGNATURE

# Of dtypes that the library's Python can put into a buffer.
_DTYPES = ("float32", "float16", "int32", "int8", "uint8", "bool")
_SOFTWARE = ("adaptertype=cpu", "swiftshader", "llvmpipe", "lavapipe")
# Chromium ships a Vulkan loader and a driver in software, which Debian's package contains.
_CHROMIUM = Path("/usr/lib/chromium")
_DRIVERS = (Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d"))


class Runtime:
    """A compiled model, run by signature names. On "gpu" it takes files without dynamic dimensions."""

    def __init__(self, device: str) -> None:
        try:
            from ai_edge_litert import compiled_model
        except ImportError as error:
            raise RuntimeUnavailable("the package ai-edge-litert is not installed", "Run `make setup`.") from error
        self._library = compiled_model
        self._gpu = device == "gpu"
        if self._gpu:
            _find_vulkan()

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """Compile the file for the device.

        Raises:
            RuntimeUnavailable: no adapter, or tensors that its Python has no buffers for.
        """
        foreign = {t.dtype for t in (*artifact.signature.inputs, *artifact.signature.outputs)} - set(_DTYPES)
        if foreign:
            raise RuntimeUnavailable(f"CompiledModel's Python has no buffers of {', '.join(sorted(foreign))}.")
        self._static = all(None not in t.shape for t in artifact.signature.inputs)
        self._shapes: dict[str, tuple[int, ...]] = {}
        accelerators = self._library.HardwareAccelerator
        options = self._library.Options(hardware_accelerators=accelerators.GPU if self._gpu else accelerators.CPU)
        threads = os.cpu_count() or 1
        if self._gpu:
            # By default a GPU may compute in float16, which would be another precision.
            options.gpu_options.enforce_f32 = True
        else:
            options.cpu_options.num_threads = threads
        try:
            with diversion.stderr() as said:
                self._model = self._library.CompiledModel.from_file(str(path), options=options)
        except RuntimeError as error:
            if "No adapters found" in said.text:
                raise RuntimeUnavailable("no Vulkan adapter that LiteRT's WebGPU accelerator takes.") from error
            raise
        facts: dict[str, Any] = {"ai-edge-litert": version("ai-edge-litert"), "precision": "float32"}
        if not self._gpu:
            return {**facts, "api": "CompiledModel", "kernels": "xnnpack", "threads": threads}
        if not self._model.is_fully_accelerated():
            raise RuntimeError("the accelerator takes a part of the model only; the rest would run on the CPU")
        found = re.search(r"[Ss]elected adapter[^:]*: *([^\n]+)", said.text)
        adapter = found[1].strip() if found else "?"
        software = any(name in adapter.lower() for name in _SOFTWARE)
        return {**facts, "api": "CompiledModel, WebGPU", "adapter": adapter, "adapter_is_software": software}

    def infer(self, inputs: Mapping[str, np.ndarray], batch: int) -> Tensors:
        """Run by the signature's names."""
        return infer_in_batches(self._step, inputs, batch)

    def _step(self, rows: Mapping[str, np.ndarray]) -> Tensors:
        shapes = {name: value.shape for name, value in rows.items()}
        if shapes != self._shapes:
            if not self._static:
                for name, shape in shapes.items():
                    self._model.resize_input_tensor_by_name(DEFAULT_SIGNATURE, name, shape)
            self._details = self._model.get_output_tensor_details(DEFAULT_SIGNATURE)
            self._in = {n: self._model.create_input_buffer_by_name(DEFAULT_SIGNATURE, n) for n in rows}
            self._out = {n: self._model.create_output_buffer_by_name(DEFAULT_SIGNATURE, n) for n in self._details}
            self._shapes = shapes
        for name, value in rows.items():
            self._in[name].write(np.ascontiguousarray(value))
        self._model.run_by_name(DEFAULT_SIGNATURE, self._in, self._out)
        answers = {}
        for name, detail in self._details.items():
            shape = tuple(detail["shape"])
            count = int(np.prod(shape))
            answers[name] = np.array(self._out[name].read(count, np.dtype(detail["dtype"]).type)).reshape(shape)
        return answers

    def deactivate(self) -> None:
        """Release the model and its buffers."""
        self._in = self._out = {}
        self._model = None


def _find_vulkan() -> None:
    """Let Dawn find a Vulkan loader and a driver: the system's, else those that Chromium ships.

    Raises:
        RuntimeUnavailable: there is no loader.
    """
    named = {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"} & os.environ.keys()
    if not named and not any(d.is_dir() and any(d.iterdir()) for d in _DRIVERS):
        os.environ["VK_ICD_FILENAMES"] = str(_CHROMIUM / "vk_swiftshader_icd.json")
    for library in ("libvulkan.so.1", str(_CHROMIUM / "libvulkan.so.1")):
        with contextlib.suppress(OSError):
            # Kept by the process, where Dawn finds it by its name.
            ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
            return
    raise RuntimeUnavailable("no Vulkan loader.", "Install libvulkan1 and a driver, or Debian's chromium.")
