"""Write a bundle aside and rename it into place: a kill at any moment leaves the old state or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import EnvironmentFault, IsomerError

# TensorFlow Serving's poller reads integer names only; the dot hides the rest from people too.
_STAGING = ".staging-"
_LOCK = ".lock"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


@contextmanager
def staging(base: Path) -> Iterator[Path]:
    """A new hidden directory below `base`, for this process alone; removed at the end if it was not published.

    Raises:
        EnvironmentFault: the place cannot be written, or another export is writing there.
    """
    with _writable(base):
        base.mkdir(parents=True, exist_ok=True)
        lock = (base / _LOCK).open("w")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentFault(
                f"Another export is writing to '{base}' at this moment.", "Wait for it, or choose another --output."
            ) from None
        # The lock is ours, so whatever lies here was left by a process that was killed.
        for left in base.glob(f"{_STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        with _writable(base):
            directory = Path(tempfile.mkdtemp(prefix=_STAGING, dir=base))
            directory.chmod(0o755)
        try:
            with _writable(base):
                yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        lock.close()


def next_version(base: Path) -> int:
    """One more than the highest integer directory."""
    return max((int(p.name) for p in _versions(base)), default=0) + 1


def latest(base: Path) -> Path | None:
    """The directory with the highest version, if there is one."""
    return max((p for p in _versions(base) if p.is_dir()), key=lambda p: int(p.name), default=None)


def _versions(base: Path) -> list[Path]:
    return [p for p in base.iterdir() if p.name.isascii() and p.name.isdigit()] if base.is_dir() else []


def publish(directory: Path, version: int) -> Path:
    """Rename a finished bundle to its version; returns its new path."""
    return _rename(directory, directory.parent / str(version))


def reject(directory: Path) -> Path:
    """Rename a bundle that did not pass to where `debug` finds it and no server does."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    target = directory.parent / f"rejected-{stamp}"
    for count in range(2, 100):
        if not target.exists():
            break
        target = directory.parent / f"rejected-{stamp}-{count}"
    return _rename(directory, target)


def _rename(directory: Path, target: Path) -> Path:
    for path in directory.rglob("*"):
        if path.is_file() or path.is_dir():
            _sync(path)
    _sync(directory)
    directory.rename(target)
    _sync(target.parent)
    return target


def _sync(path: Path) -> None:
    """Put a file's (or directory's) content on the disk before its name means something."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writable(base: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one sentence each, whichever library passes them on."""
    try:
        yield
    except IsomerError:
        raise
    except Exception as error:
        code = _refusal(error)
        if code in _FULL:
            place = min((base, Path(tempfile.gettempdir())), key=_free)
            what = f"There is no room to write below '{place}': {os.strerror(code)}. Nothing was published."
            raise EnvironmentFault(what, "Free some space.") from error
        if code in _CLOSED and _concerns(error, base):
            what = f"'{base}' cannot be written: {os.strerror(code)}."
            raise EnvironmentFault(what, "Choose another --output.") from error
        raise


def _refusal(error: Exception) -> int:
    """The system's error code behind an exception, or 0. TensorFlow and HDF5 keep no more than its text, NumPy less."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        return errno.ENOSPC
    return next((code for code in (*_FULL, *_CLOSED) if os.strerror(code) in str(error)), 0)


def _concerns(error: Exception, base: Path) -> bool:
    """Whether a refusal is about the output, and not about a file that was to be read."""
    ours = Path(base).absolute()
    if isinstance(error, OSError) and error.filename is not None:
        theirs = Path(os.fsdecode(error.filename)).absolute()
        return ours in (theirs, *theirs.parents) or theirs in ours.parents
    return str(ours) in str(error)


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free if place.exists() else sys.maxsize
