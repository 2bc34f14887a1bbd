"""What happens inside a training: batches go in, one record per epoch comes out, nonsense stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.recipes import Recipe

NOT_METRICS = ("epoch", "learning_rate", "seconds")


@dataclass(frozen=True)
class EpochProgress:
    """Where a training stands. Sent several times in an epoch, and once at its end with the validation's figures.

    Attributes:
        epoch, epochs: from 1; EarlyStopping may end before `epochs`.
        step, steps: training batches done in this epoch.
        loss: over this epoch's training batches so far, with dropout active.
        metric: the name of the figure that tells people most (`headline`), such as "accuracy".
        value, val_value: the same; the second at the end of the epoch, else None.
        learning_rate: now.
        seconds: since the epoch began.
        best: the epoch has ended, and its monitored metric is the best yet.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    metric: str
    value: float
    val_value: float | None
    learning_rate: float
    seconds: float
    best: bool

    @property
    def finished(self) -> bool:
        return self.val_value is not None


def headline(names: Iterable[str]) -> str:
    """Of the figures that Keras computes, the one that tells people most: an accuracy, any metric, else the loss."""
    own = [name for name in names if not name.startswith("val_") and name not in NOT_METRICS]
    metrics = [name for name in own if name != "loss" and not name.endswith("_loss")]
    accuracies = [name for name in metrics if name.endswith("accuracy")]
    return (accuracies or metrics or ["loss"])[0]


Aim = Callable[[np.ndarray, np.ndarray], Any]


class Batches:
    """A training set's batches, shuffled and augmented anew for every epoch; the seed decides both.

    Args:
        aim: gives a batch's targets for its samples and labels.

    Attributes:
        steps: batches in an epoch; the last may be smaller.
        epoch: the one that comes next, from 0.
        failure: what the recipe's augment() raised, for TensorFlow reports only its text.
    """

    def __init__(self, recipe: Recipe, samples: np.ndarray, labels: np.ndarray, aim: Aim, seed: int) -> None:
        self.recipe = recipe
        self.samples = samples
        self.labels = labels
        self.aim = aim
        self.seed = seed
        self.steps = math.ceil(len(samples) / recipe.batch_size)
        self.failure: ModelError | None = None
        self.epoch = 0

    def stream(self) -> Any:
        """A `tf.data.Dataset` of (samples, targets), prepared while the step before it runs."""
        import tensorflow as tf

        stream = tf.data.Dataset.from_generator(self.shuffle, output_signature=self.signature())
        return stream.apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(4)

    def signature(self) -> Any:
        """A `tf.TensorSpec` for samples and targets each."""
        import tensorflow as tf

        example = (self.samples[:1], self.aim(self.samples[:1], self.labels[:1]))
        return tf.nest.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), example)

    def shuffle(self) -> Iterator[tuple[np.ndarray, Any]]:
        """The next epoch's batches of (samples, targets)."""
        random = np.random.default_rng((self.seed, self.epoch))
        self.epoch += 1
        order = random.permutation(len(self.samples))
        try:
            for start in range(0, len(order), self.recipe.batch_size):
                rows = order[start : start + self.recipe.batch_size]
                samples = self.recipe.augment(self.samples[rows], random)
                yield samples, self.aim(samples, self.labels[rows])
        except ModelError as error:
            self.failure = error
            raise


class Recorder:
    """Keeps every epoch's figures, reports them, and stops a training whose figures make no sense.

    Attributes:
        epochs: the logs of the epochs so far, as Keras gives them, with epoch, learning_rate and seconds.
        gradients: the norm of every layer's gradient at the end of each of these epochs.
        epoch: the one that runs, from 1.
    """

    def __init__(
        self,
        recipe: Recipe,
        limit: int,
        steps: int,
        stopping: Any,
        progress: Callable[[EpochProgress], None] | None,
        tensorboard: Path | None,
        norms: Callable[[], dict[str, float]],
    ) -> None:
        self.recipe = recipe
        self.limit = limit
        self.steps = steps
        self.stopping = stopping
        self.progress = progress
        self.writers = _open_writers(tensorboard) if tensorboard else {}
        self.norms = norms
        self.epochs: list[dict[str, Any]] = []
        self.gradients: list[dict[str, float]] = []
        self.epoch = 1
        self._began = 0.0

    def as_callback(self) -> Any:
        """The `keras.callbacks.Callback` that feeds this recorder. It must come after the EarlyStopping."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_epoch_begin=self._begin, on_train_batch_end=self._advance, on_epoch_end=self._end
        )

    def _begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch + 1
        self._began = time.perf_counter()

    def _advance(self, step: int, logs: dict[str, Any]) -> None:
        self._demand_finite("loss", float(logs["loss"]), f", batch {step + 1}")
        if self.progress:
            self.progress(self._describe(min(step + 1, self.steps), logs, best=False))

    def _end(self, epoch: int, logs: dict[str, Any]) -> None:
        for name, value in logs.items():
            self._demand_finite(name, float(value))
        if self.stopping.monitor not in logs:
            raise ModelError(
                f"EarlyStopping in {self.recipe.path} monitors '{self.stopping.monitor}', which nothing computes.",
                f"Available: {', '.join(name for name in logs if name.startswith('val_'))}.",
            )
        now = self._describe(self.steps, logs, best=self.stopping.best_epoch == epoch)
        figures = {name: float(value) for name, value in logs.items()}
        record = {**figures, "epoch": now.epoch, "learning_rate": now.learning_rate, "seconds": round(now.seconds, 3)}
        self.epochs.append(record)
        self.gradients.append(self.norms())
        if self.writers:
            self._log(now, figures)
        if self.progress:
            self.progress(now)

    def _log(self, now: EpochProgress, figures: dict[str, float]) -> None:
        """TensorBoard: what Keras' own callback names "epoch_...", and how large the gradients are."""
        seen = {f"epoch_{name.removeprefix('val_')}": v for name, v in figures.items() if name.startswith("val_")}
        self.writers["validation"](now.epoch, seen)
        own = {f"epoch_{name}": v for name, v in figures.items() if not name.startswith("val_")}
        norms = {f"gradient_norm/{layer}": norm for layer, norm in self.gradients[-1].items()}
        self.writers["train"](now.epoch, {**own, "epoch_learning_rate": now.learning_rate, **norms})

    def _describe(self, step: int, logs: dict[str, Any], best: bool) -> EpochProgress:
        metric = headline(logs)
        return EpochProgress(
            epoch=self.epoch,
            epochs=self.limit,
            step=step,
            steps=self.steps,
            loss=float(logs["loss"]),
            metric=metric,
            value=float(logs[metric]),
            val_value=float(logs[f"val_{metric}"]) if f"val_{metric}" in logs else None,
            learning_rate=float(np.asarray(self.stopping.model.optimizer.learning_rate)),
            seconds=time.perf_counter() - self._began,
            best=best,
        )

    def _demand_finite(self, name: str, value: float, where: str = "") -> None:
        if not math.isfinite(value):
            raise ModelError(
                f"Training of '{self.recipe.name}' stopped: its {name} is {value} in epoch {self.epoch}{where}.",
                "Lower the learning rate, clip the gradients (clipnorm=1.0), or look for a log or a division by zero.",
            )


def _open_writers(directory: Path) -> dict[str, Callable[[int, dict[str, float]], None]]:
    """TensorBoard event files, `train/` and `validation/`.

    Keras' own callback needs the `tensorboard` package even to write; TensorFlow's file writer does not.
    """
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"

    def open_writer(part: str) -> Callable[[int, dict[str, float]], None]:
        file = tf.summary.create_file_writer(str(directory / part))

        def write(epoch: int, figures: dict[str, float]) -> None:
            with file.as_default():
                for name, value in figures.items():
                    tf.summary.write(name, tf.constant(value, tf.float32), epoch, metadata)
            file.flush()

        return write

    return {part: open_writer(part) for part in ("train", "validation")}
