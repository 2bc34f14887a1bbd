"""Debian's packages, installed by apt where that can be done without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence


def install(packages: Sequence[str]) -> str:
    """Install them if we are root and apt is there; returns "" or why it did not happen."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get to install it with"
    if os.geteuid() != 0:
        return f"installing it takes root (apt-get install {' '.join(packages)})"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *step], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return f"apt-get {step[0]} failed: {' '.join(done.stderr.split())[-300:]}"
    return ""
