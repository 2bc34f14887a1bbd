"""Finding a Firefox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.chromium import Browser

_NAMES = ("firefox-esr", "firefox")
_PLACES = ("/Applications/Firefox.app/Contents/MacOS/firefox",)
_FIX = "Run `python tools/setup_browser.py`, install Firefox, or point ISOMER_FIREFOX to one."


def find_firefox() -> Browser:
    """ISOMER_FIREFOX, else an installed Firefox.

    Raises:
        RuntimeUnavailable: there is none, or what ISOMER_FIREFOX names is not one.
    """
    named = os.environ.get("ISOMER_FIREFOX")
    if named:
        browser = _ask(Path(named), "ISOMER_FIREFOX")
        if browser is None:
            raise RuntimeUnavailable(f"ISOMER_FIREFOX names '{named}', which is no Firefox that starts.", _FIX)
        return browser
    found = [(Path(there), "PATH") for name in _NAMES if (there := shutil.which(name))]
    found += [(Path(place), "a usual place") for place in _PLACES if os.access(place, os.X_OK)]
    for path, how in found:
        browser = _ask(path, how)
        if browser is not None:
            return browser
    raise RuntimeUnavailable("There is no Firefox on this machine.", _FIX)


def _ask(path: Path, how: str) -> Browser | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # such as Ubuntu's firefox, which only says that one should install a snap
    version = re.search(r"Firefox (\d+(?:\.\d+)+\w*)", answer)
    return Browser(path, version[1], how) if version else None
