#!/usr/bin/env python3
"""Put Prometheus' promtool into .tools/prometheus, for the tests that run the alert rules.

Debian's package is unpacked, not installed: nothing needs root, and no server is started. Exits 0 also where it cannot
be had, and says why: those tests are skipped then.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_TARGET = Path(__file__).resolve().parents[1] / ".tools" / "prometheus" / "promtool"
_PACKAGE = "prometheus"


def _fetch(place: Path) -> str:
    """Unpack the package; returns "" or why it did not happen."""
    if missing := [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]:
        return f"there is no {' and no '.join(missing)}"
    done = subprocess.run(["apt-get", "-qq", "download", _PACKAGE], cwd=place, capture_output=True, text=True)
    packages = list(place.glob("*.deb"))
    if done.returncode != 0 or len(packages) != 1:
        return f"apt-get download {_PACKAGE} failed: {' '.join(done.stderr.split())[-200:]}"
    unpacked = subprocess.run(["dpkg-deb", "-x", str(packages[0]), "root"], cwd=place, capture_output=True, text=True)
    return "" if unpacked.returncode == 0 else f"unpacking failed: {' '.join(unpacked.stderr.split())[-200:]}"


def main() -> int:
    """Take what is there, or fetch it."""
    if shutil.which("promtool"):
        print("promtool: from PATH.")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        if why := _fetch(Path(scratch)):
            print(f"No promtool: {why}. The tests of the alert rules will be skipped.")
            return 0
        _TARGET.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(scratch) / "root" / "usr" / "bin" / "promtool", _TARGET)
    print(f"promtool: {_TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
