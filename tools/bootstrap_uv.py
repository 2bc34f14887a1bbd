"""Install uv into a directory of the project, with nothing but a Python: python3 tools/bootstrap_uv.py .tools/uv

Tries a virtual environment first, then pip's --target (Debian's Python comes without venv).
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM = (3, 11)


def main(target: Path) -> int:
    """Install; returns the exit status (0, or 3 when this machine lacks what is needed)."""
    if sys.version_info < MINIMUM:
        print(f"isomer needs Python {MINIMUM[0]}.{MINIMUM[1]} or newer; this is {sys.version.split()[0]}.")
        return 3
    shutil.rmtree(target, ignore_errors=True)
    if importlib.util.find_spec("ensurepip"):
        subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
        subprocess.run([str(target / "bin" / "pip"), "install", "--quiet", "uv"], check=True)
        return 0
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), "uv"]
        subprocess.run([*command, "--break-system-packages"], check=True)
        return 0
    print("This Python has neither venv nor pip. On Debian: apt-get install python3-venv; or install uv yourself.")
    return 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
