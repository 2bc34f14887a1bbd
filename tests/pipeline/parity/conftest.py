"""Exhibits are made once; tests that tamper take a copy."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import parity_models as models
import pytest


@pytest.fixture(scope="session")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> models.Exhibit:
    return models.exhibit(models.cnn(), tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> models.Exhibit:
    return models.exhibit(models.twins(), tmp_path_factory.mktemp("twins"))
