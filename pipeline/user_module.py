"""Run a Python file of the user's: for the layers that it registers with Keras, or for the model that it builds."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline import frameworks
from pipeline.errors import IsomerError, ModelError, first_line


def load(path: Path) -> ModuleType:
    """Run a file once per process and return its module. Files beside it can be imported from it.

    Raises:
        ModelError: there is no such file, or it raises.
    """
    path = path.absolute()
    name = f"isomer_import_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise ModelError(f"There is no Python file '{path}'.", "Give the path of a .py file.")
    if name in sys.modules:
        return sys.modules[name]
    frameworks.load()
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and Keras look a class's module up
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        call(path, spec.loader.exec_module, module)
    except ModelError:
        del sys.modules[name]
        raise
    return module


def call(path: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call something that a file defines, with its prints on stderr: stdout belongs to --json.

    Raises:
        ModelError: it raises, with the line of the file that did.
    """
    try:
        with redirect_stdout(sys.stderr):
            return function(*arguments)
    except IsomerError:
        raise
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path.absolute())]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 0
        raise ModelError(
            f"'{path}', line {line}, raised {type(error).__name__}: {first_line(error)}.", "Correct the file."
        ) from error
