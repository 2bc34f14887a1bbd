"""Import TensorFlow and Keras without what they only import because it is there.

Keras' scikit-learn wrappers import scikit-learn, and with it SciPy, whenever they are installed: two of eight seconds
of every start. isomer needs scikit-learn for its digits and Keras' wrappers never.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load() -> None:
    """Import both; quick when they are there already. Afterwards a plain `import` finds them."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with hidden("sklearn"):
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let `import` not find these packages for a while, unless they were imported before."""
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes for "there is none"
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name, 0) is None:
                del sys.modules[name]
