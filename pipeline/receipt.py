"""What a training leaves behind: `model.keras` and `receipt.json`, published as a pair, and the reading of it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.datasets import Dataset
from pipeline.errors import EnvironmentFault
from pipeline.recipes import Recipe

SCHEMA = "isomer-receipt/1"
MODEL = "model.keras"
RECEIPT = "receipt.json"
PAGE = "receipt.html"
PACKAGES = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "numpy": ("numpy",),
    "isomer": ("isomer",),
}


def describe_subject(recipe: Recipe, dataset: Dataset, validation: int) -> dict[str, Any]:
    """The receipt's head: what was trained, on what. `validation` images of the training set were held out."""
    return {
        "schema": SCHEMA,
        "recipe": {"name": recipe.name, "path": str(recipe.path), "sha256": recipe.sha256},
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "origin": dataset.origin,
            "substitute": dataset.substitute,
            "train": len(dataset.x_train) - validation,
            "validation": validation,
            "test": len(dataset.x_test),
        },
    }


def describe_machine() -> dict[str, Any]:
    """Versions of what shapes a training ("" where a package is not installed), and the machine."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(*of) for name, of in PACKAGES.items()}},
        "machine": {"platform": platform.platform(), "cpu_count": os.cpu_count() or 1},
    }


def prepare(directory: Path, name: str) -> None:
    """Make sure that `publish` will be able to write here, before minutes are spent on a training.

    Also puts an earlier pair back into its place, if a kill caught `publish` between its two renames.

    Raises:
        EnvironmentFault: the directory cannot be made or written.
    """
    with _hold(directory, name):
        pass


def publish(
    directory: Path,
    name: str,
    model: Any,
    receipt: dict[str, Any],
    page: Callable[[dict[str, Any]], str] | None = None,
    file: str = MODEL,
) -> dict[str, Any]:
    """Write `<directory>/<name>/` as a whole, and return the receipt with the model file's size and hash added.

    Args:
        page: makes `receipt.html` of the receipt.
        file: the model file's name. Only `MODEL` is found by `read`.

    The pair is written in a hidden sibling and renamed into place, so that a kill at any moment leaves the earlier
    pair or the new one (found by `read` in either case).

    Raises:
        EnvironmentFault: the disk is full, or permissions are missing. The earlier pair is untouched.
    """
    with _hold(directory, name):
        new = Path(tempfile.mkdtemp(dir=directory, prefix=f".{name}.new-"))
        try:
            new.chmod(0o755)
            model.save(new / file)
            content = (new / file).read_bytes()
            entry = {"path": file, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            receipt = {**receipt, "model": entry}
            (new / RECEIPT).write_text(json.dumps(receipt, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            if page is not None:
                (new / PAGE).write_text(page(receipt), encoding="utf-8")
            if (directory / name).exists():
                (directory / name).rename(_aside(directory, name))
            new.rename(directory / name)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            _settle(directory, name)
    return receipt


def read(directory: Path, name: str) -> dict[str, Any] | None:
    """The receipt in `<directory>/<name>/`, or None if there is no complete and unchanged pair."""
    if not directory.is_dir():
        return None
    if not (directory / name).exists() and _aside(directory, name).exists():
        prepare(directory, name)
    try:
        receipt = json.loads((directory / name / RECEIPT).read_text(encoding="utf-8"))
        digest = hashlib.sha256((directory / name / MODEL).read_bytes()).hexdigest()
        return receipt if receipt["schema"] == SCHEMA and receipt["model"]["sha256"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _hold(directory: Path, name: str) -> Iterator[None]:
    """The only writer of this pair: what an earlier writer left lying is therefore debris and goes."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _settle(directory, name)
            yield
    except OSError as error:
        raise EnvironmentFault(
            f"The training's result cannot be written to '{directory}': {error.strerror or error}.",
            "Free space there, or choose another directory with --output.",
        ) from error


def _settle(directory: Path, name: str) -> None:
    aside = _aside(directory, name)
    if aside.exists() and not (directory / name).exists():
        aside.rename(directory / name)
    for debris in (aside, *directory.glob(f".{name}.new-*")):
        shutil.rmtree(debris, ignore_errors=True)


def _aside(directory: Path, name: str) -> Path:
    return directory / f".{name}.previous"


def _version(*names: str) -> str:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""
