#!/usr/bin/env python3
"""Make sure that the kit's programs in C can be built for ARM64, where that can be done without asking.

Takes Debian's cross compiler that is there; else installs it if we are root and apt is there; else says which tests
will be skipped. Exits 0 in each case.
"""

from __future__ import annotations

import os
import shutil
import subprocess

COMPILER = "aarch64-linux-gnu-gcc"
PACKAGES = ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross")


def _install() -> str:
    """Install by apt; returns "" or why it did not happen."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get to install it with"
    if os.geteuid() != 0:
        return f"installing it takes root (apt-get install {' '.join(PACKAGES)})"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", "-qq", *step], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return f"apt-get {step[0]} failed: {' '.join(done.stderr.split())[-300:]}"
    return ""


def main() -> None:
    """Look, install where that is possible, and say what came of it."""
    why = "" if shutil.which(COMPILER) else _install()
    found = shutil.which(COMPILER)
    print(f"{COMPILER}: {found}." if found else f"No {COMPILER}: its tests will be skipped. {why}".strip())


if __name__ == "__main__":
    main()
