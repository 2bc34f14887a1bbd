"""NVIDIA GPUs: whether there is one, and the Pythons whose packages compute on it.

TensorFlow's CUDA 12 and ONNX Runtime's CUDA 13 put different libraries at the same places, and both packages take the
places of those for processors: so each has an environment of its own, which `make gpu` installs.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import RuntimeUnavailable

_ROOT = Path(__file__).parents[2] / ".tools" / "gpu"
# NVIDIA's driver; in a sandbox (gVisor) the device alone; in Windows' Linux.
_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")


def require() -> None:
    """Raise where no GPU can be.

    Raises:
        RuntimeUnavailable: this machine has no NVIDIA driver.
    """
    if not any(Path(sign).exists() for sign in _SIGNS):
        raise RuntimeUnavailable("no GPU: this machine has no NVIDIA driver.")


def python(library: str, device: str) -> Path | None:
    """The interpreter for a library on a device; None for this one."""
    place = _ROOT / library
    return place / "bin" / "python" if device != "cpu" and (place / "installed").is_file() else None
