"""A user's own data set: an `.npz` file with four arrays, checked before anything is trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import DatasetError
from pipeline.generated import Raw

REMEDY = (
    "Write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...): samples as numbers, labels as "
    "class numbers from 0 or as floats to predict."
)
_SPLITS = ("train", "test")


def read(path: Path) -> tuple[Raw, int]:
    """The four arrays and the number of classes (0 where the labels are numbers to predict).

    Samples stay uint8 where they are bytes and become float32 otherwise; class numbers become int64.

    Raises:
        DatasetError: an array is missing, empty, not of numbers, not finite, or does not fit the others.
    """
    if not path.is_file():
        raise DatasetError(f"There is no dataset file '{path}'.", REMEDY)
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [f"{kind}_{split}" for split in _SPLITS for kind in "xy"]
            for name in names:
                if name not in archive.files:
                    found = ", ".join(sorted(archive.files)[:6]) or "nothing"
                    raise DatasetError(f"'{path}' lacks the array {name} (it holds {found}).", REMEDY)
            raw = {name: archive[name] for name in names}
    except DatasetError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds on damaged input
        raise DatasetError(f"'{path}' is not a readable .npz file: {error or type(error).__name__}.", REMEDY) from error
    for split in _SPLITS:
        _check(path, raw, split)
    if raw["x_train"].shape[1:] != raw["x_test"].shape[1:]:
        raise DatasetError(
            f"In '{path}' a sample of x_train has shape {raw['x_train'].shape[1:]}, one of x_test "
            f"{raw['x_test'].shape[1:]}.",
            "Prepare both alike.",
        )
    return _settle(path, raw)


def _check(path: Path, raw: Raw, split: str) -> None:
    x, y = raw[f"x_{split}"], raw[f"y_{split}"]
    if y.ndim == 2 and y.shape[1] == 1:
        y = raw[f"y_{split}"] = y[:, 0]
    for name, value, least in ((f"x_{split}", x, 2), (f"y_{split}", y, 1)):
        if value.dtype.kind not in "iufb":
            raise DatasetError(f"'{path}' holds {value.dtype} in {name}, not numbers.", REMEDY)
        if value.ndim < least:
            raise DatasetError(f"{name} in '{path}' has shape {value.shape}; the first axis is the sample's.", REMEDY)
        if not len(value):
            raise DatasetError(f"{name} in '{path}' is empty.", "Give each split at least one sample.")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            bad = ~np.isfinite(value).reshape(len(value), -1).all(axis=1)
            raise DatasetError(
                f"{name} in '{path}' has NaN or infinity in {int(bad.sum()):,} of {len(value):,} samples, the first is "
                f"number {int(np.argmax(bad))}.",
                "Leave these samples out, or fill the gaps.",
            )
    if len(x) != len(y):
        raise DatasetError(f"'{path}' has {len(x):,} samples in x_{split}, but {len(y):,} labels.", "Give one each.")


def _settle(path: Path, raw: Raw) -> tuple[Raw, int]:
    """The arrays in the dtypes that a training takes."""
    numbers = raw["y_train"].dtype.kind == "f"
    settled = {}
    for split in _SPLITS:
        x, y = raw[f"x_{split}"], raw[f"y_{split}"]
        settled[f"x_{split}"] = np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32))
        settled[f"y_{split}"] = np.ascontiguousarray(y.astype(np.float32 if numbers else np.int64))
    if numbers:
        return settled, 0
    labels = settled["y_train"]
    if labels.min() == labels.max():
        raise DatasetError(
            f"All {len(labels):,} labels of y_train in '{path}' are {labels[0]}.", "There is nothing to tell apart."
        )
    if labels.min() < 0:
        raise DatasetError(f"The labels of y_train in '{path}' begin at {labels.min()}.", "Number classes from 0.")
    unseen = sorted(set(np.unique(settled["y_test"])) - set(np.unique(labels)))
    if unseen:
        raise DatasetError(
            f"y_test in '{path}' has class {unseen[0]}, which y_train lacks.", "Draw both from the same samples."
        )
    return settled, int(labels.max()) + 1
