"""All that a training needs to go on from the end of an epoch, in one file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import aside


@dataclass(frozen=True)
class Backup:
    """The state at the end of an epoch.

    Attributes:
        identity: what was trained on what; a backup of anything else is none.
        epoch: how many are done.
        arrays: variables of model and optimizer by position, and arrays that callbacks hold.
        notes: the rest, as JSON takes it: the recorder's epochs, the callbacks' numbers.
    """

    identity: str
    epoch: int
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]

    def to_bytes(self) -> bytes:
        head = json.dumps({"identity": self.identity, "epoch": self.epoch, "notes": self.notes})
        content = io.BytesIO()
        everything: dict[str, Any] = {"head": np.frombuffer(head.encode(), np.uint8), **self.arrays}
        np.savez(content, **everything)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Backup:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop("head").tobytes().decode())
        return cls(head["identity"], head["epoch"], arrays, head["notes"])


def write(path: Path, backup: Backup) -> None:
    """Write it in place of the one before: a kill at any moment leaves one of the two.

    Raises:
        EnvironmentFault: the disk is full, or permissions are missing.
    """
    aside.write(path, backup.to_bytes(), "The training's backup")


def read(path: Path, identity: str) -> Backup | None:
    """The backup of this very training, or None if there is none that can be read."""
    try:
        backup = Backup.from_bytes(path.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return backup if backup.identity == identity else None


def describe(callbacks: Sequence[Any]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """What callbacks hold in their attributes: lists of arrays; numbers, words and flags; functions of keras.ops."""
    import keras

    arrays: dict[str, np.ndarray] = {}
    notes = []
    for place, callback in enumerate(callbacks):
        note: dict[str, Any] = {"plain": {}, "arrays": {}, "functions": {}}
        for name, value in vars(callback).items():
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, list) and value and all(isinstance(v, np.ndarray) for v in value):
                note["arrays"][name] = len(value)
                arrays.update({f"callback_{place}_{name}_{k}": v for k, v in enumerate(value)})
            elif value is None or isinstance(value, bool | int | float | str):
                note["plain"][name] = value
            elif value is getattr(keras.ops, word := getattr(value, "__name__", ""), keras):
                note["functions"][name] = word  # EarlyStopping's "less" or "greater"
        notes.append(note)
    return arrays, notes


def restore(callbacks: Sequence[Any], backup: Backup) -> None:
    """Give callbacks back what `describe` took down."""
    import keras

    for place, (callback, note) in enumerate(zip(callbacks, backup.notes["callbacks"], strict=True)):
        vars(callback).update(note["plain"])
        for name, count in note["arrays"].items():
            setattr(callback, name, [backup.arrays[f"callback_{place}_{name}_{k}"] for k in range(count)])
        for name, function in note["functions"].items():
            setattr(callback, name, getattr(keras.ops, function))
