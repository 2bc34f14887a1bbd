#!/usr/bin/env python3
"""Make sure that the kit's programs in C can be built for ARM64, where that can be done without asking.

Takes Debian's cross compiler that is there; else installs it if we are root and apt is there; else says which tests
will be skipped. Exits 0 in each case.
"""

from __future__ import annotations

import shutil

from debian import install

COMPILER = "aarch64-linux-gnu-gcc"
PACKAGES = ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross")


def main() -> None:
    """Look, install where that is possible, and say what came of it."""
    why = "" if shutil.which(COMPILER) else install(PACKAGES)
    found = shutil.which(COMPILER)
    print(f"{COMPILER}: {found}." if found else f"No {COMPILER}: its tests will be skipped. {why}".strip())


if __name__ == "__main__":
    main()
