"""Named datasets as arrays with documented shape, dtype, range and origin.

MNIST is looked for in a file that the user names, in Keras' cache, and (when asked) at Keras' download. Where
it cannot be had, scikit-learn's bundled 8x8 digits take its place, and the dataset says so. The others need no file
(`pipeline.generated`). Nothing here imports TensorFlow or Keras, except the download.
"""

from __future__ import annotations

import ast
import hashlib
import os
import socket
import sys
import zipfile
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from pipeline import frameworks, generated, own_dataset
from pipeline.errors import DatasetError
from pipeline.generated import Raw

PARTS = ("x_train", "y_train", "x_test", "y_test")
NAMES = ("mnist", "digits", *generated.SETS)
MNIST_SHAPES = {"x_train": (60_000, 28, 28), "y_train": (60_000,), "x_test": (10_000, 28, 28), "y_test": (10_000,)}
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
KERAS_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # of Keras' archive, not its content
DOWNLOAD_TIMEOUT = 20.0  # seconds without a byte
ARCHIVE_LIMIT = 64 << 20  # bytes on disk; MNIST, stored, is 55 MB
HEADER_LIMIT = 4096  # bytes of one array's .npy header
DIGITS_SEED = 0
REMEDY = "Give MNIST with --data FILE or ISOMER_MNIST=FILE: an .npz with x_train, y_train, x_test and y_test."


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled samples, split into training and test.

    Attributes:
        name: one of `NAMES`: what the arrays really are.
        raw: the four arrays by name: images as uint8, other samples as float32.
        x_train, x_test: images, float32 in [0, 1] (byte / 255), shape (N, 28, 28); or float32 columns, (N, columns).
        y_train, y_test: labels, int64 in [0, classes), shape (N,); or numbers, float32, where there are no classes.
        classes: number of labels; 0 where the labels are numbers to predict.
        origin: where the arrays came from, in words or as a path.
        sha256: of the raw arrays' bytes, C order, in the order x_train, y_train, x_test, y_test.
        substitute: these are not the data that were asked for.
        notice: the sentence to show at the top and at the bottom of a run on a substitute, else "".
        columns: names of a sample's values; empty for images.
    """

    name: str
    raw: Raw = field(repr=False)
    classes: int
    origin: str
    sha256: str
    substitute: bool = False
    notice: str = ""
    columns: tuple[str, ...] = ()

    # Converted when they are first asked for: an export has no use for the training images.
    @cached_property
    def x_train(self) -> np.ndarray:
        return _scale(self.raw["x_train"])

    @cached_property
    def y_train(self) -> np.ndarray:
        return _number(self.raw["y_train"])

    @cached_property
    def x_test(self) -> np.ndarray:
        return _scale(self.raw["x_test"])

    @cached_property
    def y_test(self) -> np.ndarray:
        return _number(self.raw["y_test"])


def load(name: str = "mnist", data: Path | None = None, download: bool = False) -> Dataset:
    """Find a dataset, check that it is what it claims to be, and return it.

    Args:
        name: "mnist", "digits" for scikit-learn's 8x8 digits scaled to 28x28, one of `pipeline.generated.SETS`, or
            the path of an `.npz` with `x_train`, `y_train`, `x_test` and `y_test`.
        data: an .npz to read MNIST from. Without it: the file in ISOMER_MNIST, then Keras' cache, then Keras'
            download, then the digits as a substitute.
        download: allow the download (progress goes to stderr).

    Raises:
        DatasetError: the name is unknown, or a file that was named explicitly is missing, corrupt or not MNIST.
    """
    if name.endswith(".npz"):
        raw, classes = own_dataset.read(Path(name))
        return Dataset(Path(name).stem, raw, classes, name, _digest(raw))
    if name not in NAMES:
        close = get_close_matches(name, NAMES, 1) or NAMES
        raise DatasetError(f"There is no dataset '{name}'.", f"Did you mean '{close[0]}'?")
    if name != "mnist" and data is not None:
        raise DatasetError(f"The dataset '{name}' is not read from a file, but '{data}' was given.", "Leave it out.")
    if name in generated.SETS:
        made = generated.SETS[name]
        raw = made.raw()
        return Dataset(name, raw, made.classes, made.origin, _digest(raw), columns=made.columns)
    if name == "digits":
        return _wrap("digits", _make_digits(), "bundled with scikit-learn, 8x8 scaled to 28x28")
    explicit = str(data) if data is not None else os.environ.get("ISOMER_MNIST", "")
    if explicit:
        return _wrap("mnist", _read_mnist(Path(explicit).expanduser()), explicit)
    missing: list[str] = []
    for find in (_find_cached, _download) if download else (_find_cached,):
        try:
            path = find()
            return _wrap("mnist", _read_mnist(path), str(path))
        except DatasetError as error:
            missing.append(error.what)
    notice = (
        f"MNIST was not found, so this is scikit-learn's 8x8 digits scaled to 28x28 in its place: no figure here is "
        f"one on MNIST. ({' '.join(missing)}) {REMEDY}"
    )
    return _wrap("digits", _make_digits(), "bundled with scikit-learn, 8x8 scaled to 28x28", notice)


def _wrap(name: str, raw: Raw, origin: str, notice: str = "") -> Dataset:
    return Dataset(
        name,
        raw,
        classes=10,
        origin=origin,
        # Reading MNIST has compared this digest already.
        sha256=MNIST_SHA256 if name == "mnist" else _digest(raw),
        substitute=bool(notice),
        notice=notice,
    )


def _scale(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / np.float32(255) if samples.dtype == np.uint8 else samples


def _number(labels: np.ndarray) -> np.ndarray:
    return labels if labels.dtype.kind == "f" else labels.astype(np.int64)


def _digest(raw: Raw) -> str:
    sha = hashlib.sha256()
    for part in PARTS:
        sha.update(raw[part].tobytes())
    return sha.hexdigest()


def _read_mnist(path: Path) -> Raw:
    """The uint8 arrays of an .npz that nobody vouches for, read only as far as MNIST would reach."""
    if not path.is_file():
        raise DatasetError(f"There is no dataset file '{path}'.", REMEDY)
    size = path.stat().st_size
    if size > ARCHIVE_LIMIT:
        raise DatasetError(f"'{path}' has {size:,} bytes; MNIST's archive has at most {ARCHIVE_LIMIT:,}.", REMEDY)
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            for part in PARTS:
                if f"{part}.npy" not in members:
                    found = ", ".join(sorted(m[:40] for m in members)[:6]) or "nothing"
                    raise DatasetError(f"'{path}' lacks the array {part} (it holds {found}).", REMEDY)
            raw = {part: _read_array(archive, part, path) for part in PARTS}
    except DatasetError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds on damaged input
        raise DatasetError(f"'{path}' is not a readable .npz file: {error or type(error).__name__}.", REMEDY) from error
    digest = _digest(raw)
    if digest != MNIST_SHA256:
        raise DatasetError(
            f"'{path}' has MNIST's shapes but other content: expected sha256 {MNIST_SHA256} of its arrays, "
            f"found {digest}.",
            REMEDY,
        )
    return raw


def _read_array(archive: zipfile.ZipFile, part: str, path: Path) -> np.ndarray:
    """One array, its header checked before its data are read. Never unpickles."""
    expected = MNIST_SHAPES[part]
    with archive.open(f"{part}.npy") as member:
        shape, dtype = _read_header(member)
        if shape != expected or dtype != "|u1":
            raise DatasetError(
                f"'{path}' is not MNIST: expected {part} to be uint8 {expected}, found {dtype} {shape}.", REMEDY
            )
        size = int(np.prod(expected))
        content = member.read(size)
    if len(content) != size:
        raise DatasetError(f"'{path}' is cut short: {part} has {len(content):,} of {size:,} bytes.", REMEDY)
    return np.frombuffer(content, np.uint8).reshape(expected)


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype text of an .npy stream in C order; ValueError for anything else."""
    magic = member.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError("an array has no NumPy header")
    length = int.from_bytes(member.read(2 if magic[6:7] == b"\x01" else 4), "little")
    if length > HEADER_LIMIT:
        raise ValueError("an array's header is too long")
    header = ast.literal_eval(member.read(length).decode("latin1").strip())
    if header["fortran_order"]:
        raise ValueError("an array is in Fortran order")
    descr = header["descr"] if isinstance(header["descr"], str) else "a structured dtype"
    return tuple(int(n) for n in header["shape"]), descr


def _find_cached() -> Path:
    """Keras' own place for the file, without importing Keras."""
    path = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets" / "mnist.npz"
    if not path.is_file():
        raise DatasetError(f"Keras' cache has no '{path}'.")
    return path


def _download() -> Path:
    """Keras' own download into Keras' cache. Gives up after `DOWNLOAD_TIMEOUT` seconds of silence."""
    frameworks.load()
    import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        with redirect_stdout(sys.stderr):  # stdout belongs to --json
            return Path(keras.utils.get_file("mnist.npz", KERAS_URL, file_hash=KERAS_SHA256))
    except Exception as error:  # urllib, ssl and socket, wrapped by Keras in bare Exceptions
        raise DatasetError(f"Keras could not download {KERAS_URL}: {error}.") from error
    finally:
        socket.setdefaulttimeout(before)


def _make_digits() -> Raw:
    """scikit-learn's 1,797 digits: bilinear from 8x8 to 28x28 bytes; of each label a seeded fifth is for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    position = np.clip((np.arange(28) + 0.5) * 8 / 28 - 0.5, 0, 7)
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(8)))  # (28, 8), rows sum to 1
    images = np.rint(weights @ (digits.images * (255 / 16)) @ weights.T).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    random = np.random.default_rng(DIGITS_SEED)
    test = np.zeros(len(labels), bool)
    for label in range(10):
        rows = np.flatnonzero(labels == label)
        test[random.permutation(rows)[: len(rows) // 5]] = True
    return {"x_train": images[~test], "y_train": labels[~test], "x_test": images[test], "y_test": labels[test]}
