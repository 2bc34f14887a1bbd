#!/usr/bin/env python3
"""Make sure that there are browsers for the browser cells, where that can be done without asking.

Takes what `pipeline.runtimes.chromium` and `pipeline.runtimes.firefox` find; else installs Debian's packages if we are
root and apt is there; else says which cells will be NOT_RUN. Exits 0 in each case: isomer works without a browser.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from debian import install

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.chromium import find_browser
from pipeline.runtimes.firefox import find_firefox
from pipeline.runtimes.programs import Program


@dataclass(frozen=True)
class Wanted:
    """A browser.

    Attributes:
        name: for the user.
        find: raises RuntimeUnavailable where there is none.
        variable: of the environment that names one.
        packages: Debian's.
        lacks: what of them is not there although the browser is, and what that costs; "" for nothing.
    """

    name: str
    find: Callable[[], Program]
    variable: str
    packages: tuple[str, ...]
    lacks: Callable[[], str] = str


def _vulkan() -> str:
    if sys.platform != "linux" or any(any(Path(place).glob("*.json")) for place in _VULKAN_DRIVERS):
        return ""
    return "there is no Vulkan driver, without which it has no WebGPU"


_VULKAN_DRIVERS = ("/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d")
WANTED = (
    Wanted("Chromium", find_browser, "ISOMER_CHROMIUM", ("chromium",)),
    # Firefox has no WebGPU without a Vulkan; Mesa's computes on the processor. Chromium brings its own.
    Wanted("Firefox", find_firefox, "ISOMER_FIREFOX", ("firefox-esr", "mesa-vulkan-drivers"), _vulkan),
)


def _look(wanted: Wanted) -> Program | RuntimeUnavailable:
    try:
        return wanted.find()
    except RuntimeUnavailable as error:
        return error


def _install(wanted: Wanted) -> str:
    """Install by apt; returns "" or why it did not happen."""
    if os.environ.get(wanted.variable):
        return f"{wanted.variable} is set, so nothing was installed"
    return install(wanted.packages)


def main() -> None:
    """Look, install where that is possible, and say what came of it."""
    for wanted in WANTED:
        found, why = _look(wanted), ""
        missing = isinstance(found, RuntimeUnavailable)
        if missing or wanted.lacks():
            print(
                f"{f'No {wanted.name} found' if missing else f'{wanted.name}: {wanted.lacks()}'}; trying apt ...",
                flush=True,
            )
            why = _install(wanted)
            found = _look(wanted)
        if isinstance(found, Program):
            lack = f" But {wanted.lacks()}: {why}." if wanted.lacks() else ""
            print(f"{wanted.name}: {found.path} {found.version} (from {found.how}).{lack}")
        else:
            print(f"No {wanted.name}: its cells will be NOT_RUN. {found.what} {why}".strip())


if __name__ == "__main__":
    main()
