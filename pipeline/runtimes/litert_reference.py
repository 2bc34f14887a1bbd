"""LiteRT with its reference kernels: another family for whole numbers than XNNPACK, and the one of microcontrollers."""

from __future__ import annotations

from typing import Any

from pipeline.runtimes import litert


class Runtime(litert.Runtime):
    """The interpreter without XNNPACK; slow, and the same numbers as TensorFlow Lite Micro's."""

    kernels = "reference"

    def _load(self, path: str, threads: int) -> Any:
        from ai_edge_litert.interpreter import OpResolverType

        return self._create(
            model_path=path, num_threads=threads, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
