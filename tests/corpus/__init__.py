"""The corpus: models of every kind that Keras makes, in tables by family, for the coverage run and for tests."""

from __future__ import annotations

from importlib import import_module

from corpus.model import Model

PARTS = ("layers", "topologies", "operations", "applications", "hub")
_MODULES = (
    "layers_core",
    "layers_windows",
    "layers_sequences",
    "layers_categories",
    "layers_images",
    "layers_augmentations",
    "topologies_structures",
    "topologies_networks",
    "topologies_programs",
    "topologies_shipped",
    "operations",
    "operations_numpy",
    "operations_types",
    "operations_nn",
    "operations_images",
    "operations_ranks",
    "applications",
    "hub",
)


def all_models() -> tuple[Model, ...]:
    """Every model, in the order of the tables."""
    return tuple(model for module in _MODULES for model in import_module(f"corpus.{module}").MODELS)
