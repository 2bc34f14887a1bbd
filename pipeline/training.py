"""Fit a recipe's model: dropout and EarlyStopping at work, progress shown, the outcome checked and written down."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import frameworks, keras_file
from pipeline import receipt as receipts
from pipeline.datasets import Dataset
from pipeline.epochs import Batches, EpochProgress, Recorder
from pipeline.errors import IsomerError, ModelError, first_line
from pipeline.recipes import Recipe

VALIDATION = 5_000  # training images held out, a tenth of a smaller set; the test set plays no part in training
VALIDATION_SEED = 0  # the same images whatever the training's own seed
STEPS_PER_EXECUTION = 32  # steps that one call into TensorFlow takes
EVALUATION_BATCH = 500
EPOCH_KEYS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


@dataclass(frozen=True)
class Training:
    """A trained model, uncompiled, and the receipt of its training.

    Attributes:
        model: a `keras.Model`.
        receipt: what `receipt.json` holds: data, seed, epochs, checks, versions (schema isomer-receipt/1).
        path: of `model.keras`.
        reused: an earlier training of the same recipe on the same data with the same seed.
    """

    model: Any
    receipt: dict[str, Any]
    path: Path
    reused: bool = False


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training. `kept` is the sentence that says what remains."""

    def __init__(self, kept: str) -> None:
        super().__init__(kept)
        self.kept = kept


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int = 0,
    epochs: int | None = None,
    directory: Path,
    tensorboard: Path | None = None,
    progress: Callable[[EpochProgress], None] | None = None,
) -> Training:
    """Train a recipe and write `<directory>/<recipe>/model.keras` and `receipt.json`, both or neither.

    The same recipe, data, seed and machine give the same weights, bit for bit.

    Args:
        epochs: at most so many, instead of the recipe's own number.
        tensorboard: a directory for TensorBoard's event files (`train/` and `validation/`).
        progress: called from this thread, several times in an epoch.

    Raises:
        ModelError: the recipe fails, a figure is no longer finite, or the model cannot be saved and loaded.
        EnvironmentFault: `directory` cannot be written.
        TrainingInterrupted: Ctrl-C. An earlier pair is as it was.
    """
    receipts.prepare(directory, recipe.name)
    try:
        return _train(recipe, dataset, seed, epochs or recipe.epochs, directory, tensorboard, progress)
    except KeyboardInterrupt:
        raise TrainingInterrupted(_say_what_is_kept(recipe, directory)) from None


def place(runs: Path, dataset: Dataset) -> Path:
    """Where trainings on a dataset are kept: one on a substitute never takes the place of a real one."""
    return runs / f"substitute-{dataset.name}" if dataset.substitute else runs


def load_trained(
    recipe: Recipe, dataset: Dataset, *, seed: int = 0, epochs: int | None = None, directory: Path
) -> Training | None:
    """The training that `train` with the same arguments left in `directory`, or None.

    The same means: the recipe's and the dataset's sha256, the seed and the limit of epochs; and the model file's
    bytes are those that the receipt names.
    """
    receipt = receipts.read(directory, recipe.name)
    if receipt is None:
        return None
    wanted = (recipe.sha256, dataset.sha256, seed, epochs or recipe.epochs)
    try:
        found = (receipt["recipe"]["sha256"], receipt["dataset"]["sha256"], receipt["seed"], receipt["max_epochs"])
    except (KeyError, TypeError):
        return None
    if found != wanted:
        return None
    path = directory / recipe.name / receipts.MODEL
    return Training(keras_file.load(path), receipt, path, reused=True)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    limit: int,
    directory: Path,
    tensorboard: Path | None,
    progress: Callable[[EpochProgress], None] | None,
) -> Training:
    frameworks.load()
    import keras

    began = time.perf_counter()
    keras.utils.set_random_seed(seed)  # enough for equal bits on a CPU; TensorFlow's op determinism is not needed
    held_out = _hold_out(len(dataset.x_train))
    batches = Batches(recipe, dataset.x_train[~held_out], dataset.y_train[~held_out], seed)
    validation = (dataset.x_train[held_out], dataset.y_train[held_out])
    model = recipe.build()
    copy = _round_trip(model, recipe)
    callbacks = recipe.callbacks()
    stopping = next(c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping))
    recorder = Recorder(recipe, limit, batches.steps, stopping, progress, tensorboard)
    try:
        model.compile(
            recipe.optimizer(batches.steps),
            loss=recipe.loss,
            metrics=list(recipe.metrics),
            steps_per_execution=STEPS_PER_EXECUTION,
            jit_compile=False,  # XLA trains nets of this size several times slower on a CPU
        )
        model.fit(
            batches.stream(),
            epochs=limit,
            shuffle=False,  # `Batches` does
            validation_data=validation,
            validation_batch_size=recipe.batch_size,
            callbacks=[*callbacks, recorder.as_callback()],
            verbose=0,
        )
        # In the same batches as during the training, or the sums would round differently.
        again = model.evaluate(*validation, batch_size=recipe.batch_size, return_dict=True, verbose=0)
        test = model.evaluate(dataset.x_test, dataset.y_test, batch_size=EVALUATION_BATCH, return_dict=True, verbose=0)
        copy.set_weights(model.get_weights())
    except Exception as error:
        raise batches.failure or _explain(error, recipe) from error
    best = recorder.epochs[stopping.best_epoch][stopping.monitor]
    restored = float(again[stopping.monitor.removeprefix("val_")])
    receipt = {
        **receipts.describe_subject(recipe, dataset, validation=len(validation[0])),
        "seed": seed,
        "max_epochs": limit,
        "epochs": [{key: record[key] for key in EPOCH_KEYS} for record in recorder.epochs],
        "best_epoch": stopping.best_epoch + 1,
        "monitor": stopping.monitor,
        "restored": {
            "metric": stopping.monitor,
            "value_best_epoch": best,
            "value_reevaluated": restored,
            "equal": best == restored,
        },
        "test": {"accuracy": float(test["accuracy"]), "loss": float(test["loss"])},
        "dropout_inactive": {"runs_bit_equal": _repeats(copy, dataset.x_test[:EVALUATION_BATCH])},
        "parameters": copy.count_params(),
        **receipts.describe_machine(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    receipt = receipts.publish(directory, recipe.name, copy, receipt)
    return Training(copy, receipt, directory / recipe.name / receipts.MODEL)


def _hold_out(count: int) -> np.ndarray:
    """A mask (count,), True for the images of the validation set."""
    mask = np.zeros(count, bool)
    chosen = np.random.default_rng(VALIDATION_SEED).permutation(count)[: min(VALIDATION, count // 10)]
    mask[chosen] = True
    return mask


def _round_trip(model: Any, recipe: Recipe) -> Any:
    """The model as it comes back from a file, without optimizer: proof, before any minute is spent, that it does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / receipts.MODEL
        try:
            model.save(path)
            copy = keras_file.load(path)
        except Exception as error:
            raise ModelError(
                f"The model of {recipe.path} cannot be saved and loaded again: {first_line(error)}.",
                "Build it of Keras layers, or register its classes with keras.saving.register_keras_serializable().",
            ) from error
    return copy


def _repeats(model: Any, images: np.ndarray) -> bool:
    """Whether two inference runs give the same bits: an active dropout would not."""
    first, second = (np.asarray(model(images, training=False)) for _ in range(2))
    return first.tobytes() == second.tobytes()


def _explain(error: Exception, recipe: Recipe) -> IsomerError:
    if isinstance(error, IsomerError):
        return error
    return ModelError(
        f"Training of '{recipe.name}' failed: {type(error).__name__}: {first_line(error)}.",
        f"Check build(), loss and metrics in {recipe.path}.",
    )


def _say_what_is_kept(recipe: Recipe, directory: Path) -> str:
    earlier = receipts.read(directory, recipe.name)
    kept = (
        f"the earlier training in {directory / recipe.name} ({len(earlier['epochs'])} epochs, test accuracy "
        f"{earlier['test']['accuracy']:.2%}) is kept as it was"
        if earlier
        else "nothing was written"
    )
    return f"Training of '{recipe.name}' was interrupted; {kept}."
