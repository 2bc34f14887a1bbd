"""LiteRT's aarch64 wheel on an emulated ARM64 processor."""

from __future__ import annotations

from pipeline.runtimes import litert
from pipeline.runtimes.emulated import ARM64, Emulated

python = ARM64.python


class Runtime(Emulated):
    """As `pipeline.runtimes.litert` on the processor that the device names."""

    def __init__(self, device: str) -> None:
        super().__init__(ARM64, litert.Runtime, device)
