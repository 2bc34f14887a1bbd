"""ARM64 processors in software: QEMU runs the aarch64 wheels of LiteRT and ONNX Runtime as Raspberry Pis would.

It proves what the code of those processors computes, not how fast: its time is no latency, so that `benchmark` refuses
it. `make arm64` installs what it takes (tools/setup_arm64.py).
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.base import Runtime

# Always one by name: QEMU's default processor has every extension, in part computed wrongly (its SME, with LiteRT's
# int8), and several times slower.
CPUS = {"cortex-a53": "Raspberry Pi 3", "cortex-a72": "Raspberry Pi 4", "cortex-a76": "Raspberry Pi 5"}
_ROOT = Path(__file__).parents[2] / ".tools" / "arm64"
_FACTS = _ROOT / "arm64.json"
SITE = _ROOT / "site"
"""The unpacked wheels, for programs that are built against their libraries."""
HEADERS = _ROOT / "include"
"""ONNX Runtime's headers in C, the same for every processor."""


def installed() -> bool:
    """Whether `make arm64` was here."""
    return _FACTS.is_file()


def python(cpu: str) -> list[str] | None:
    """The command that starts an ARM64 Python with the runtimes on one of `CPUS`; None where it is not installed."""
    if not installed():
        return None
    (interpreter,) = (p for p in (_ROOT / "root/usr/bin").glob("python3.*") if p.name[8:].isdigit())
    return [*emulator(cpu), "-U", "PYTHONHOME", "-E", f"PYTHONPATH={SITE}", str(interpreter)]


def emulator(cpu: str) -> list[str]:
    """The command in front of any ARM64 program; its libraries are looked for in the unpacked system."""
    return [str(_ROOT / "qemu-aarch64"), "-cpu", cpu, "-L", str(_ROOT / "root")]


class Emulated:
    """A runtime of this package on an emulated processor. Runs in the process of `python`.

    Args:
        module: its module, which does the work.
        device: one of `CPUS`.
    """

    def __init__(self, module: Any, device: str) -> None:
        if not installed():
            raise RuntimeUnavailable(
                "no ARM64 user space is installed here.", "Run `make arm64` in isomer's checkout (Debian packages)."
            )
        self._cpu = device
        self._runtime: Runtime = module.Runtime("cpu")
        self.infer = self._runtime.infer
        self.deactivate = self._runtime.deactivate

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """As the runtime itself; its environment names the emulator and the processor."""
        facts = json.loads(_FACTS.read_text())
        return {
            **self._runtime.activate(artifact, path),
            "cpu": f"{self._cpu} ({CPUS[self._cpu]})",
            "emulator": facts["emulator"],
            "machine": platform.machine(),
            "system": f"{facts['release']} arm64, Python {facts['python']}",
        }
