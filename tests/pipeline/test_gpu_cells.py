"""Cells on an NVIDIA GPU: what can be said of them on a machine that has none. `make gpu-check` runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import runtimes
from pipeline.errors import RuntimeUnavailable

BOTH = ("tensorflow", "onnxruntime")


def test_tf32_is_a_cell_of_its_own() -> None:
    assert [e.label for e in runtimes.select(BOTH, ("gpu", "gpu-tf32"))] == [
        "tensorflow/gpu",
        "onnxruntime/gpu",
        "tensorflow/gpu-tf32",
        "onnxruntime/gpu-tf32",
    ]
    assert not any(e.device == "gpu-tf32" for e in (*runtimes.select(), *runtimes.select(BOTH)))


@pytest.mark.parametrize("name", BOTH)
def test_the_probe_finds_float32_where_it_is(name: str) -> None:
    """On the CPU, whose products keep all 24 bits of a factor; a GPU with TF32 keeps 11."""
    runtime = runtimes.create(f"pipeline.runtimes.{name}", "cpu")
    assert runtime.significand_bits() == 24  # type: ignore[attr-defined]


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="there is a GPU here: run `make gpu-check`")
@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("device", ["gpu", "gpu-tf32"])
def test_without_a_gpu_nothing_is_claimed(name: str, device: str) -> None:
    with pytest.raises(RuntimeUnavailable, match="no GPU"):
        runtimes.create(f"pipeline.runtimes.{name}", device)
