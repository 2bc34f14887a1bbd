"""Structural pruning: units and channels that do little are removed for good, and what is left is trained again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import datasets, fitting, frameworks, recipes, training
from pipeline import receipt as receipts
from pipeline.epochs import headline
from pipeline.errors import ModelError
from pipeline.fitting import Samples
from pipeline.progress import Observer
from pipeline.pruning import channels, choosing, cutting
from pipeline.report import training as training_report

__all__ = ["Pruned", "prune"]

LOOKED_AT = 2_000


@dataclass(frozen=True)
class Pruned:
    """A smaller model and how it compares.

    Attributes:
        model: a `keras.Model`, trained again.
        receipt: of that training, with `pruning`: sizes, figures before, after the cut and after the training.
        path: of the `.keras` file.
    """

    model: Any
    receipt: dict[str, Any]
    path: Path

    @property
    def pruning(self) -> dict[str, Any]:
        """Sizes and figures, before and after."""
        found: dict[str, Any] = self.receipt["pruning"]
        return found


def prune(
    recipe: str | Path,
    *,
    remove: float = 0.5,
    finetune: int | None = None,
    data: Path | None = None,
    seed: int = 0,
    epochs: int | None = None,
    runs: Path = Path("runs"),
    observer: Observer | None = None,
) -> Pruned:
    """Remove a share of a trained recipe's weights with their units and channels, and train the rest again.

    The training is taken from `runs`, or made now. The rest trains with the recipe's own optimizer and its
    schedule from the beginning: the learning rate is rewound (Renda et al., 2020). The result is
    `<runs>/<recipe>-pruned/<recipe>-pruned.keras`, a model like any other.

    Args:
        remove: share of all parameters, 0 to 1. Idle channels go beyond it.
        finetune: epochs of training afterwards; the recipe's own number by default.
        data: MNIST as an `.npz`.
        seed, epochs: of the training that is pruned.

    Raises:
        ModelError: the model has no channels that can be removed.
        UsageError, EnvironmentFault: as `training.train`.
    """
    began = time.perf_counter()
    observer = observer or Observer()
    loaded = recipes.load(recipe)
    frameworks.load()
    dataset = datasets.load(loaded.dataset, data, download=True)
    if dataset.notice:
        observer.notice(dataset.notice)
    directory = training.place(runs, dataset)
    whole = training.load_trained(loaded, dataset, seed=seed, epochs=epochs, directory=directory)
    if whole is None:
        observer.stage(loaded.name, f"training on {dataset.name}")
        whole = training.train(loaded, dataset, seed=seed, epochs=epochs, directory=directory, progress=observer.epoch)
    learned, watched = training.split(dataset)
    test = Samples(dataset.x_test, dataset.y_test)
    observer.stage(loaded.name, "looking for channels that do least")
    groups = _groups(whole.model, loaded.name)
    shares = choosing.contributions(whole.model, groups, learned.x[:LOOKED_AT])
    kept = choosing.choose(groups, shares, whole.model.count_params(), remove)
    smaller = cutting.cut(whole.model, groups, kept)
    cut = _evaluate(smaller, loaded, test)
    observer.stage(loaded.name, f"training the {smaller.count_params():,} weights that are left")
    limit = finetune or loaded.epochs
    fitted = fitting.fit(loaded, learned, watched, seed=seed, limit=limit, progress=observer.epoch, model=smaller)
    name = f"{loaded.name}-pruned"
    receipt = training.describe(loaded, dataset, fitted, seed, limit, began)
    receipt["pruning"] = {
        "removed": 1 - smaller.count_params() / whole.model.count_params(),
        "parameters": {"before": whole.model.count_params(), "after": smaller.count_params()},
        "test": {"before": whole.receipt["test"], "cut": cut, "after": receipt["test"]},
        "layers": [
            {"layer": group.layer.name, "before": group.channels, "after": len(keep)}
            for group, keep in zip(groups, kept, strict=True)
        ],
    }
    file = f"{name}.keras"
    receipt = receipts.publish(directory, name, fitted.copy, receipt, training_report.render, file)
    return Pruned(fitted.copy, receipt, directory / name / file)


def describe(pruned: Pruned) -> str:
    """The outcome in a sentence."""
    found = pruned.pruning
    name = headline(found["test"]["after"])
    before, cut, after = (found["test"][when][name] for when in ("before", "cut", "after"))
    show: Callable[[float], str] = (lambda v: f"{v:.2%}") if name.endswith("accuracy") else (lambda v: f"{v:.4g}")
    sizes = found["parameters"]
    layers = ", ".join(f"{entry['layer']} {entry['before']} to {entry['after']}" for entry in found["layers"])
    return (
        f"{found['removed']:.1%} of the weights removed ({sizes['before']:,} to {sizes['after']:,}: {layers}); test "
        f"{name.replace('_', ' ')} {show(before)} before, {show(cut)} after the cut, {show(after)} trained again"
    )


def _groups(model: Any, name: str) -> list[channels.Group]:
    try:
        found = channels.find(model)
    except AttributeError as error:  # a subclassed model keeps its graph to itself
        raise ModelError(
            f"The layers of '{name}' cannot be followed from one to the next.", "Build it as a Functional model."
        ) from error
    if not found:
        raise ModelError(
            f"'{name}' has no units or channels that can be removed: none is read by Dense or Conv layers alone.",
            "Prune a model with hidden Dense or Conv layers.",
        )
    return found


def _evaluate(model: Any, recipe: recipes.Recipe, test: Samples) -> dict[str, float]:
    from pipeline import heads

    model.compile(loss=recipe.loss, metrics=recipe.fresh_metrics(), jit_compile=False)
    targets = heads.trained(recipe, model, test.x, test.y)
    found = model.evaluate(test.x, targets, batch_size=fitting.EVALUATION_BATCH, return_dict=True, verbose=0)
    return {key: float(value) for key, value in found.items()}
