"""Finding a Firefox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipeline.runtimes.programs import Program, find

_NAMES = ("firefox-esr", "firefox")
_PLACES = ("/Applications/Firefox.app/Contents/MacOS/firefox",)
_VERSION = r"Firefox (\d+(?:\.\d+)+\w*)"
_FIX = "Run `python tools/setup_browser.py`, install Firefox, or point ISOMER_FIREFOX to one."


def find_firefox() -> Program:
    """ISOMER_FIREFOX, else an installed Firefox.

    Raises:
        RuntimeUnavailable: there is none, or what ISOMER_FIREFOX names is not one.
    """
    found = [(Path(there), "PATH") for name in _NAMES if (there := shutil.which(name))]
    found += [(Path(place), "a usual place") for place in _PLACES if os.access(place, os.X_OK)]
    return find("ISOMER_FIREFOX", found, _VERSION, "Firefox", "Firefox", _FIX)
