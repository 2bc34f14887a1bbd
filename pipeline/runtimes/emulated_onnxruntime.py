"""ONNX Runtime on an emulated processor: its wheel on ARM64, Debian's package where PyPI has none."""

from __future__ import annotations

from typing import Any

from pipeline.errors import RuntimeUnsupported
from pipeline.runtimes import onnxruntime
from pipeline.runtimes.emulated import ARM64, ARMHF, RISCV64, Emulated, Machine

_MACHINES: dict[str, Machine] = {cpu: machine for machine in (ARM64, ARMHF, RISCV64) for cpu in machine.processors}


def python(device: str) -> list[str] | None:
    """The command that starts the Python of the processor's machine; None where it is not installed."""
    return _MACHINES[device].python(device)


class _OnnxRuntime(onnxruntime.Runtime):
    """Debian's is older than the one that wrote and judged the files, and has fewer kernels: no reason to fail."""

    def _open(self, model: str | bytes) -> Any:
        try:
            return super()._open(model)
        except self._library.capi.onnxruntime_pybind11_state.NotImplemented as error:
            words = str(error).partition("NOT_IMPLEMENTED : ")[2] or str(error)
            raise RuntimeUnsupported(f"ONNX Runtime {self._library.__version__}: {words}") from error


class Runtime(Emulated):
    """As `pipeline.runtimes.onnxruntime` on the processor that the device names."""

    def __init__(self, device: str) -> None:
        super().__init__(_MACHINES[device], _OnnxRuntime, device)
