#!/usr/bin/env python3
"""Make sure that there is a browser for the browser cells, where that can be done without asking.

Takes what `pipeline.runtimes.chromium` finds; else installs Debian's `chromium` if we are root and apt is there;
else says why browser cells will be NOT_RUN. Exits 0 in each case: isomer works without a browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.chromium import Browser, find_browser


def _look() -> Browser | RuntimeUnavailable:
    try:
        return find_browser()
    except RuntimeUnavailable as error:
        return error


def _install() -> str:
    """Install by apt; returns "" or why it did not happen."""
    if os.environ.get("ISOMER_CHROMIUM"):
        return "ISOMER_CHROMIUM is set, so nothing was installed"
    if shutil.which("apt-get") is None:
        return "there is no apt-get to install one with"
    if os.geteuid() != 0:
        return "installing one takes root (apt-get install chromium)"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", "-qq", *step], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return f"apt-get {step[0]} failed: {' '.join(done.stderr.split())[-300:]}"
    return ""


def main() -> None:
    """Look, install if that is possible, and say what came of it."""
    found, why = _look(), ""
    if isinstance(found, RuntimeUnavailable):
        print("No Chromium or Chrome found; trying apt ...", flush=True)
        why = _install()
        found = _look()
    if isinstance(found, Browser):
        print(f"Browser: {found.path} {found.version} (from {found.how}).")
    else:
        print(f"No browser: browser cells will be NOT_RUN. {found.what} {why}".strip())


if __name__ == "__main__":
    main()
