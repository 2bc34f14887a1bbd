"""Fit a recipe's model on some samples, watched by others: the part that `train` and its folds share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import gradients, heads, keras_file, suitability
from pipeline.epochs import Batches, EpochProgress, Recorder
from pipeline.errors import IsomerError, ModelError, first_line
from pipeline.heads import Head
from pipeline.recipes import Recipe
from pipeline.workers import loop
from pipeline.workers.team import Team

STEPS_PER_EXECUTION = 32  # steps that one call into TensorFlow takes
EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Samples:
    """Samples [N, ...] float32 and their labels [N]."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Fitted:
    """A trained model with what was seen on the way.

    Attributes:
        model: compiled, with the best epoch's weights.
        copy: the same without optimizer, as it comes back from a file.
        heads: what its outputs mean.
        recorder: figures and gradient norms of every epoch.
        monitor, best_epoch: the metric that chose the kept weights, and their epoch, from 1.
        validation: the figures of the kept weights on the validation samples.
    """

    model: Any
    copy: Any
    heads: tuple[Head, ...]
    recorder: Recorder
    monitor: str
    best_epoch: int
    validation: dict[str, float]

    def evaluate(self, recipe: Recipe, samples: Samples) -> dict[str, float]:
        """Loss and metrics on some samples."""
        targets = heads.trained(recipe, self.model, samples.x, samples.y)
        found = self.model.evaluate(samples.x, targets, batch_size=EVALUATION_BATCH, return_dict=True, verbose=0)
        return {name: float(value) for name, value in found.items()}


def fit(
    recipe: Recipe,
    training: Samples,
    validation: Samples,
    *,
    seed: int,
    limit: int,
    tensorboard: Path | None = None,
    progress: Callable[[EpochProgress], None] | None = None,
    model: Any = None,
    team: Team | None = None,
    identity: str = "",
) -> Fitted:
    """Train a fresh model until EarlyStopping or the limit of epochs, and restore its best weights.

    Args:
        limit: at most so many epochs. A learning rate's schedule is shortened (or stretched) to them.
        model: trained already, to be trained on.
        team: the workers that do it together, each of them calling this with the same arguments.
        identity: of a training by a team, by which its backup is known.

    Raises:
        WorkerLost: another of the team is gone.
        ModelError: the recipe fails, does not suit the data, or a figure is no longer finite.
    """
    import keras

    keras.utils.set_random_seed(seed)  # enough for equal bits on a CPU; TensorFlow's op determinism is not needed
    if model is None:
        model = recipe.build()
        suitability.require(recipe, model, training.x, training.y)
        if not model.built:
            model(training.x[:1])  # a subclassed model gets its weights from its first call
        recipe.adapt(model, training.x)
    found = heads.find(recipe, model, training.x[:2], training.y[:2])
    copy = round_trip(model, recipe)

    def aim(samples: np.ndarray, labels: np.ndarray) -> Any:
        return heads.trained(recipe, model, samples, labels)

    batches = Batches(recipe, training.x, training.y, aim, seed)
    watched = (validation.x, aim(validation.x, validation.y))
    callbacks = recipe.callbacks()
    stopping = next(c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping))
    few = training.x[: gradients.SAMPLES]
    try:
        schedule = max(1, round(batches.steps * limit / recipe.epochs))
        model.compile(
            recipe.optimizer(schedule),
            loss=recipe.loss,
            metrics=recipe.fresh_metrics(),
            steps_per_execution=STEPS_PER_EXECUTION,
            jit_compile=False,  # XLA trains nets of this size several times slower on a CPU
        )
        norms = gradients.open_probe(model, few, aim(few, training.y[: len(few)]))
        recorder = Recorder(recipe, limit, batches.steps, stopping, progress, tensorboard, norms)
        if team is not None:
            with tempfile.TemporaryDirectory() as folder:
                model.save(file := Path(folder) / "model.keras")
                job = loop.Job(recipe, file, batches, watched, limit, schedule, identity)
                loop.fit(team, job, model, callbacks, recorder)
        else:
            model.fit(
                batches.stream(),
                epochs=limit,
                shuffle=False,  # `Batches` does
                validation_data=watched,
                validation_batch_size=recipe.batch_size,
                callbacks=[*callbacks, recorder.as_callback()],
                verbose=0,
            )
        # In the same batches as during the training, or the sums would round differently.
        kept = model.evaluate(*watched, batch_size=recipe.batch_size, return_dict=True, verbose=0)
        copy.set_weights(model.get_weights())
    except Exception as error:
        raise batches.failure or explain(error, recipe) from error
    figures = {name: float(value) for name, value in kept.items()}
    return Fitted(model, copy, found, recorder, stopping.monitor, stopping.best_epoch + 1, figures)


def round_trip(model: Any, recipe: Recipe) -> Any:
    """The model as it comes back from a file, without optimizer: proof, before any minute is spent, that it does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            copy = keras_file.load(path)
        except Exception as error:
            raise ModelError(
                f"The model of {recipe.path} cannot be saved and loaded again: {first_line(error)}.",
                "Build it of Keras layers, or register its classes with keras.saving.register_keras_serializable().",
            ) from error
    return copy


def explain(error: Exception, recipe: Recipe) -> IsomerError:
    """An exception from Keras as one sentence about the recipe."""
    if isinstance(error, IsomerError):
        return error
    return ModelError(
        f"Training of '{recipe.name}' failed: {type(error).__name__}: {first_line(error)}.",
        f"Check build(), loss and metrics in {recipe.path}.",
    )
