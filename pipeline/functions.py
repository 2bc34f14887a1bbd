"""A model that a Python function returns: `module.py:build`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import user_module
from pipeline.errors import ModelError

_GUIDE = (
    "It is a function without arguments that returns a keras.Model, or a pair of it and its inputs; "
    "or a keras.Model, or a class of one."
)


def build(path: Path, function: str, seed: int) -> tuple[Any, Any]:
    """Run a file and what it calls `function`.

    Args:
        path: a Python file of the user's.
        function: the name of a function, a model or a class in it.
        seed: of weights that the function draws.

    Returns:
        The model, and the structure of its inputs where the function returns that too, else None.

    Raises:
        ModelError: there is no such thing in the file, it raises, or it is no model.
    """
    module = user_module.load(path)
    import keras

    if not hasattr(module, function):
        offered = sorted(
            n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__
        )
        raise ModelError(
            f"'{path}' does not define '{function}'.", f"It defines {', '.join(offered) or 'no function'}."
        )
    found = getattr(module, function)
    if callable(found) and not isinstance(found, keras.Model):
        keras.utils.set_random_seed(seed)
        found = user_module.call(path, found)
    model, structure = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if not isinstance(model, keras.Model):
        raise ModelError(f"'{function}' in '{path}' is no keras.Model, and gives none: {type(model).__name__}.", _GUIDE)
    return model, structure
