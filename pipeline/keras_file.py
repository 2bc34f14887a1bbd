"""Load a `.keras` file as the untrusted input that it is: in safe mode, checked, and complete."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import frameworks
from pipeline.calling import of_model
from pipeline.errors import ModelError, first_line
from pipeline.signature import TensorSpec

# A real config is kilobytes; a weights file larger than its archive by this factor is a decompression bomb.
_MAX_CONFIG_BYTES = 64 << 20
_MAX_INFLATION = 200
_UNBUILT = (
    "A subclassed layer without build() loses its weights: add build(), declare the model's inputs with --input, or "
    "export from Python (module.py:function)."
)


def check(path: Path, unsafe: bool = False) -> None:
    """Look at a file from outside: what can be said of it without Keras, in a fraction of a second.

    Raises:
        ModelError: the file is missing, corrupt, of another Keras, or holds code.
    """
    config = _read_config(path)
    if not unsafe and (lambdas := _lambda_layers(config)):
        raise ModelError(
            f"'{path}' has Lambda layers ({', '.join(lambdas)}): Python code that loading the file would trust.",
            "Replace them by a registered layer, or pass --unsafe if you trust whoever wrote the file.",
        )


def load(path: Path, unsafe: bool = False, declared: Sequence[TensorSpec] = ()) -> Any:
    """Load a Keras 3 model for inference.

    Args:
        path: a `.keras` archive.
        unsafe: allow Python code inside the file (Lambda layers) to be deserialized.
        declared: the model's inputs, for a subclassed model that Keras cannot build from the shapes that it stored.

    Returns:
        The `keras.Model`, uncompiled.

    Raises:
        ModelError: the file is missing, corrupt, of another Keras, holds code, or does not restore
            every weight that it stores.
    """
    check(path, unsafe)
    frameworks.load()
    try:
        model = _restored(path, unsafe)
        _check_weights(path, model)
    except ModelError:
        if not declared:
            raise
        model = _built_by_call(path, unsafe, declared)
        _check_weights(path, model)
    return model


def _restored(path: Path, unsafe: bool) -> Any:
    """As Keras does it: built from the shapes that the file stores."""
    import keras

    with _complete():
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=not unsafe)
        except Exception as error:
            raise ModelError(f"Keras cannot load '{path}': {_cause(error)}", _advice(error)) from error


def _built_by_call(path: Path, unsafe: bool, declared: Sequence[TensorSpec]) -> Any:
    """Built by a call with the declared inputs, then given its weights."""
    import keras

    config = _read_config(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the shapes that do not build it
        try:
            model = keras.saving.deserialize_keras_object({**config, "build_config": None}, safe_mode=not unsafe)
        except Exception as error:
            raise ModelError(f"Keras cannot load '{path}': {_cause(error)}", _advice(error)) from error
    of_model(model, declared)
    with _complete():
        try:
            model.load_weights(path)
        except Exception as error:
            raise ModelError(
                f"The weights in '{path}' do not fit the model that the declared inputs build: {_cause(error)}",
                "Declare the inputs that it was trained with.",
            ) from error
    return model


@contextmanager
def _complete() -> Iterator[None]:
    """Keras only warns when it leaves weights unrestored; such a model predicts garbage."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(no variables|not loaded|could not be loaded|no weights).*")
        yield


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelError(f"There is no file '{path}'.", "Give the path of a .keras file or the name of a recipe.")
    if path.is_dir():
        raise ModelError(f"'{path}' is a directory.", "Give a .keras file: model.save('model.keras').")
    head = path.open("rb").read(8)
    if head.startswith(b"\x89HDF"):
        raise ModelError(
            f"'{path}' is an HDF5 file, the format of Keras 2.",
            "Load it where it was made and save it with Keras 3: keras.models.load_model(...).save('model.keras').",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.file_size > _MAX_CONFIG_BYTES and info.file_size > _MAX_INFLATION * max(info.compress_size, 1):
                    raise ModelError(f"'{path}': member '{info.filename}' inflates suspiciously.", "Refused.")
            if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
                raise ModelError(f"'{path}': its config.json is larger than 64 MB.", "Refused.")
            archive.getinfo("model.weights.h5")
            if damaged := archive.testzip():
                raise ModelError(f"'{path}' is corrupt: '{damaged}' fails its checksum.", "Save or copy it again.")
            config: dict[str, Any] = json.loads(archive.read("config.json"))
    except ModelError:
        raise
    except Exception as error:  # zipfile, its decompressors and json raise a dozen kinds on damaged input
        raise ModelError(
            f"'{path}' is not a complete .keras archive: {first_line(error)}.",
            "Save it again with model.save('model.keras').",
        ) from error
    return config


def _lambda_layers(config: Any) -> list[str]:
    """Names of the layers whose serialized form carries Python byte code."""
    found = []
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "Lambda" or item.get("class_name") == "__lambda__":
                inner = item.get("config")
                found.append(str(inner.get("name", "?")) if isinstance(inner, dict) else "?")
            else:
                stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return sorted(found)


def _check_weights(path: Path, model: Any) -> None:
    """Raise unless the model holds as many weight values as the archive stores."""
    import h5py

    stored = 0

    def count(name: str, item: Any) -> None:
        nonlocal stored
        if isinstance(item, h5py.Dataset) and "/vars/" in f"/{name}" and not name.startswith("optimizer"):
            stored += int(item.size or 0)

    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member, h5py.File(member, "r") as file:
        file.visititems(count)
    variables = {id(v): v for v in [*model.weights, *getattr(model, "non_trainable_variables", [])]}
    held = sum(int(v.value.shape.num_elements() or 0) for v in variables.values() if not _is_seed(v))
    seeds = sum(int(v.value.shape.num_elements() or 0) for v in variables.values() if _is_seed(v))
    if not held <= stored <= held + seeds + 2 * len(_all_seed_generators(model)):
        raise ModelError(
            f"'{path}' stores {stored} weight values, but the model that Keras restores from it holds {held}.",
            _UNBUILT,
        )


def _is_seed(variable: Any) -> bool:
    return "seed_generator" in variable.path


def _all_seed_generators(model: Any) -> list[Any]:
    return [g for layer in model._flatten_layers() for g in getattr(layer, "_seed_generators", [])]


def _cause(error: BaseException) -> str:
    """What Keras says, or what it says at the end of a page about something else."""
    found = re.search(r"Could not locate (class|function) '[^']{1,200}'", str(error))
    return f"{found[0] if found else first_line(error)}."


def _advice(error: BaseException) -> str:
    if "Could not locate" in str(error):
        return "Name the Python file that registers its custom classes: --import-module my_layers.py"
    if "build" in str(error) or "no variables" in str(error) or "not loaded" in str(error):
        return _UNBUILT
    return "Check that it was saved by Keras 3 and is complete."
