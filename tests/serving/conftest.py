"""Servers that tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import foreign
import numpy as np
import pytest
from live import Live, serving


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of the models in `foreign`: --no-gate, since they have no certificates."""
    root = tmp_path_factory.mktemp("foreign")
    foreign.write(root)
    with serving(root, "--no-gate") as live:
        yield live


@pytest.fixture(scope="session")
def exports(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exports directory with the tiny bundle. Not to be changed."""
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(tiny_bundle, root / "tiny" / "1")
    (root / ".hidden" / "1").mkdir(parents=True)
    (root / "tiny" / "rejected-2026").mkdir()
    return root


@pytest.fixture(scope="session")
def tiny(exports: Path) -> Iterator[Live]:
    """A server of the tiny bundle, as `make serve` runs it."""
    with serving(exports) as live:
        yield live


@pytest.fixture(scope="session")
def samples(tiny_bundle: Path) -> dict[str, np.ndarray]:
    """The bundle's golden samples."""
    with np.load(tiny_bundle / "golden" / "samples.npz") as archive:
        return {name: archive[name] for name in archive.files}
