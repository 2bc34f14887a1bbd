"""Other processors in software: QEMU runs the packages of LiteRT and ONNX Runtime as a Raspberry Pi would.

It proves what the code of those processors computes, not how fast: its time is no latency, so that `benchmark` refuses
it. `make emulated` installs what it takes (tools/setup_emulated.py).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.base import Runtime

_ROOT = Path(__file__).parents[2] / ".tools" / "emulated"
HEADERS = _ROOT / "include"
"""ONNX Runtime's headers in C, the same for every processor."""


@dataclass(frozen=True)
class Machine:
    """A user space of Debian's packages, and the processors that it is run on.

    Attributes:
        name: of its directory.
        program: QEMU's.
        processors: what has each of them, by QEMU's name. Always one by name: QEMU's default processors have every
            extension, on ARM64 in part computed wrongly (SME, with LiteRT's int8) and several times slower.
    """

    name: str
    program: str
    processors: Mapping[str, str]

    @property
    def _place(self) -> Path:
        return _ROOT / self.name

    @property
    def site(self) -> Path:
        """The unpacked wheels, for programs that are built against their libraries; Debian's where it has none."""
        wheels = self._place / "site"
        return wheels if wheels.is_dir() else self._place / "root/usr/lib/python3/dist-packages"

    @property
    def installed(self) -> bool:
        """Whether `make emulated` was here."""
        return (self._place / "machine.json").is_file()

    def facts(self) -> dict[str, str]:
        """The emulator and the system, with versions.

        Raises:
            RuntimeUnavailable: it is not installed.
        """
        if not self.installed:
            raise RuntimeUnavailable(
                f"no {self.name} user space is installed here.",
                "Run `make emulated` in isomer's checkout (Debian packages).",
            )
        facts: dict[str, str] = json.loads((self._place / "machine.json").read_text(encoding="utf-8"))
        return facts

    def python(self, processor: str) -> list[str] | None:
        """The command that starts a Python with the runtimes; None where it is not installed."""
        if not self.installed:
            return None
        (interpreter,) = (p for p in (self._place / "root/usr/bin").glob("python3.*") if p.name[8:].isdigit())
        return [*self.emulator(processor), "-U", "PYTHONHOME", "-E", f"PYTHONPATH={self.site}", str(interpreter)]

    def emulator(self, processor: str) -> list[str]:
        """The command in front of any program; its libraries are looked for in the unpacked system."""
        return [str(_ROOT / self.program), "-cpu", processor, "-L", str(self._place / "root")]


ARM64 = Machine(
    "arm64",
    "qemu-aarch64",
    {"cortex-a53": "Raspberry Pi 3", "cortex-a72": "Raspberry Pi 4", "cortex-a76": "Raspberry Pi 5"},
)
ARMHF = Machine("armhf", "qemu-arm", {"cortex-a7": "Raspberry Pi 2"})
# Of an older release: the last TensorFlow Lite for 32-bit ARM is of Python 3.11 and NumPy 1.
ARMHF_TFLITE = Machine("armhf-tflite", "qemu-arm", ARMHF.processors)
RISCV64 = Machine("riscv64", "qemu-riscv64", {"sifive-u54": "HiFive Unleashed"})


class Emulated:
    """A runtime of this package on an emulated processor. Runs in the process of the machine's Python.

    Args:
        machine: where its packages are.
        runtime: which does the work, for the device "cpu".
        processor: one of the machine's.
    """

    def __init__(self, machine: Machine, runtime: type[Runtime], processor: str) -> None:
        self._facts = machine.facts()
        self._processor = f"{processor} ({machine.processors[processor]})"
        self._runtime = runtime("cpu")  # type: ignore[call-arg]  # the protocol has no constructor
        self.infer = self._runtime.infer
        self.deactivate = self._runtime.deactivate

    def activate(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """As the runtime itself; its environment names the emulator and the processor."""
        return {
            **self._runtime.activate(artifact, path),
            **self._facts,
            "cpu": self._processor,
            "machine": platform.machine(),
        }
