"""Finding a Chromium, and the flags that it is started with."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.runtimes.programs import Program, find

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_PLAYWRIGHT = ("chromium-*/chrome-*/chrome", "chromium-*/chrome-*/*.app/Contents/MacOS/*")
_VERSION = r"Chrom\D*(\d+(?:\.\d+)+)"
_FIX = "Run `python tools/setup_browser.py`, install Chromium or Chrome, or point ISOMER_CHROMIUM to one."

_BASE_FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Without a GPU, the one way that brings up both WebGL 2 and WebGPU; others give no context or hang.
_SOFTWARE_GPU_FLAGS = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--disable-gpu-watchdog",  # it takes a processor that is busy with one long shader for a GPU that hangs
)


def _playwright_home() -> Path:
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if named and named != "0":
        return Path(named)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _candidates() -> Iterator[tuple[Path, str]]:
    for name in _NAMES:
        if installed := shutil.which(name):
            yield Path(installed), "PATH"
    for place in _PLACES:
        if os.access(place, os.X_OK):
            yield Path(place), "a usual place"
    for pattern in _PLAYWRIGHT:
        for path in sorted(_playwright_home().glob(pattern), reverse=True):
            yield path, "Playwright's download"


def find_browser() -> Program:
    """ISOMER_CHROMIUM, else an installed Chromium or Chrome, else one that Playwright downloaded.

    Raises:
        RuntimeUnavailable: there is none, or what ISOMER_CHROMIUM names is not one.
    """
    return find("ISOMER_CHROMIUM", _candidates(), _VERSION, "Chromium", "Chromium or Chrome", _FIX)


def _has_gpu() -> bool:
    return sys.platform != "linux" or any(Path("/dev/dri").glob("renderD*"))


def launch_flags(device: str) -> tuple[str, ...]:
    """The command line for a device: without a GPU, SwiftShader stands in for WebGL and WebGPU."""
    needs_gpu = device.startswith(("webgl", "webgpu"))
    return (*_BASE_FLAGS, *_SOFTWARE_GPU_FLAGS) if needs_gpu and not _has_gpu() else _BASE_FLAGS


def sandboxed() -> bool:
    """Whether Chromium's sandbox stays on: always, but for root, for whom Chromium refuses it.

    ISOMER_NO_SANDBOX=1 takes it off where the system forbids what the sandbox is made of.
    """
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return not root and os.environ.get("ISOMER_NO_SANDBOX") != "1"
