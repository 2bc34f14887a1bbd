"""Servers that tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import foreign
import numpy as np
import pytest
from live import Live, serving


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models in `foreign`, as ONNX."""
    root = tmp_path_factory.mktemp("foreign")
    foreign.write(root)
    return root


@pytest.fixture(scope="session")
def contract(request: pytest.FixtureRequest) -> Iterator[Live]:
    """A server of those models: --no-gate, since they have no certificates. Or any server that is named."""
    if rest := os.environ.get("ISOMER_SERVING_REST"):
        yield Live.elsewhere(rest, os.environ.get("ISOMER_SERVING_GRPC", ""))
        return
    with serving(request.getfixturevalue("models"), "--no-gate") as live:
        yield live


@pytest.fixture(scope="session")
def tensorflow_contract(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of the same models as SavedModels, through their models.config."""
    root = tmp_path_factory.mktemp("saved")
    shutil.copytree(models, root, dirs_exist_ok=True)
    foreign.write_saved_models(root)
    file = root / "models.config"
    file.write_text(foreign.config(root))
    with serving(None, "--model-config-file", str(file), "--no-gate", "--engine", "savedmodel") as live:
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
