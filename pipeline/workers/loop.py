"""The loop over epochs and batches that every worker runs in step with the others.

Each takes its share of every batch; gradients are added up before they are clipped and applied, so that all workers
hold the same weights after each step, and these are the ones that a single process would have, up to the order in
which gradients are summed. Not so for a layer that looks at a batch as a whole (batch normalization sees a worker's
share) or draws random numbers (dropout).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import keras_file
from pipeline.epochs import Batches, Recorder
from pipeline.errors import ModelError
from pipeline.recipes import Recipe
from pipeline.workers import backup as backups
from pipeline.workers.backup import Backup
from pipeline.workers.team import Team

_STEPS_PER_CALL = 32
_MEANS = ("sum_over_batch_size", "mean")


@dataclass(frozen=True)
class Job:
    """What the workers train; the same on each of them.

    Attributes:
        recipe: whose loss, metrics and optimizer are used.
        file: the model before its first step, saved: each worker trains a copy that the strategy keeps equal.
        batches: of the training samples.
        watched: validation samples and their targets.
        limit: of epochs.
        schedule: steps per epoch, as the optimizer is told.
        identity: of the training, by which its backup is known.
    """

    recipe: Recipe
    file: Path
    batches: Batches
    watched: tuple[np.ndarray, Any]
    limit: int
    schedule: int
    identity: str


def fit(team: Team, job: Job, model: Any, callbacks: Sequence[Any], recorder: Recorder) -> None:
    """What `model.fit` does in one process. Afterwards `model` has the weights that the callbacks chose.

    Args:
        model: compiled, outside of the strategy; validates, and measures gradients for the recorder.
        callbacks, recorder: called in this order.

    Raises:
        ModelError: a loss is a sum over the batch, or comes as one value for each sample.
        WorkerLost: another worker is gone.
    """
    import keras

    for loss in keras.tree.flatten(job.recipe.loss):
        if getattr(loss, "reduction", _MEANS[0]) not in _MEANS:
            raise ModelError(
                f"'loss' in {job.recipe.path} has reduction={loss.reduction!r}, which workers cannot share out.",
                'Leave it at "sum_over_batch_size", or train in one process.',
            )
    with team.together("before the first epoch"):
        twin = _Twin(team, job)
        group = keras.callbacks.CallbackList(
            [*callbacks, recorder.as_callback()], model=twin.model, epochs=job.limit, steps=job.batches.steps, verbose=0
        )
        group.on_train_begin()
        begin = _resume(team, twin, callbacks, recorder, job.identity)
        model.stop_training = twin.model.stop_training = False
    for epoch in range(begin, job.limit):
        with team.together(f"in epoch {epoch + 1} of {job.limit}"):
            group.on_epoch_begin(epoch)
            logs = twin.train(epoch, group)
            model.set_weights(twin.model.get_weights())
            seen = model.evaluate(*job.watched, batch_size=job.recipe.batch_size, return_dict=True, verbose=0)
            logs.update(team.agree({f"val_{name}": float(value) for name, value in seen.items()}))
            group.on_epoch_end(epoch, logs)
            if not twin.model.stop_training:
                team.keep(_describe(twin, callbacks, recorder, job.identity, epoch + 1))
        if twin.model.stop_training:
            break
    group.on_train_end()
    model.set_weights(twin.model.get_weights())


class _Twin:
    """A copy of the model whose variables live on all workers, and the steps that train it."""

    def __init__(self, team: Team, job: Job) -> None:
        import keras
        import tensorflow as tf

        self.team = team
        self.batches = job.batches
        with team.strategy.scope():
            self.model = keras_file.load(job.file)
            self.model.compile(
                job.recipe.optimizer(job.schedule),
                loss=job.recipe.loss,
                metrics=job.recipe.fresh_metrics(),
                jit_compile=False,
            )
            self.loss = keras.metrics.Mean(name="loss")
            self.model.optimizer.build(self.model.trainable_variables)
        # The steps below have added gradients up before Keras clips them; it would add up what it has clipped.
        self.model.optimizer._all_reduce_sum_gradients = list
        for variable in filter(_draws, self.variables):
            self.restore(variable, np.asarray(variable))
        self._stream = team.strategy.distribute_datasets_from_function(self._open)
        self._steps = tf.function(self._run)

    @property
    def variables(self) -> list[Any]:
        """All that a training changes."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def restore(self, variable: Any, value: np.ndarray) -> None:
        """Give a variable the chief's value; where random numbers are drawn from it, a sequence of this worker's own.

        A state's first element is its seed.
        """
        if _draws(variable):
            value = value.copy()
            value[0] += self.team.cluster.index
        variable.assign(value)

    def train(self, epoch: int, group: Any) -> dict[str, float]:
        """One epoch; its figures, with dropout active."""
        import tensorflow as tf

        self.batches.epoch = epoch
        self.model.reset_metrics()
        self.loss.reset_state()
        iterator = iter(self._stream)
        logs: dict[str, float] = {}
        for done in range(0, self.batches.steps, _STEPS_PER_CALL):
            count = min(_STEPS_PER_CALL, self.batches.steps - done)
            group.on_train_batch_begin(done)
            self._steps(iterator, tf.constant(count))
            logs = self._figures()
            group.on_train_batch_end(done + count - 1, logs)
        floats = [v for v in self.model.non_trainable_variables if "float" in v.dtype]
        for variable, value in zip(floats, self.team.mean([np.asarray(v) for v in floats]), strict=True):
            variable.assign(value)  # batch statistics: the mean of what the workers saw
        return logs

    def _figures(self) -> dict[str, float]:
        found = {name: float(value) for name, value in self.model.get_metrics_result().items()}
        return {**found, "loss": float(self.loss.result())}

    def _run(self, iterator: Any, count: Any) -> None:
        import tensorflow as tf

        for _ in tf.range(count):
            self.team.strategy.run(self._step, args=next(iterator))

    def _step(self, samples: Any, targets: Any, share: Any) -> None:
        """A replica's part of a batch: `share` of its rows."""
        import tensorflow as tf

        model, context = self.model, tf.distribute.get_replica_context()
        with tf.GradientTape() as tape:
            answers = model(samples, training=True)
            # Keras divides by the number of replicas, as if all had equally many rows.
            loss = model.compute_loss(x=samples, y=targets, y_pred=answers, training=True)
            loss = loss * float(self.team.replicas)
            part = loss * share
        found = tape.gradient(part, [v.value for v in model.trainable_variables])
        pairs = [
            (tf.convert_to_tensor(g), v) for g, v in zip(found, model.trainable_variables, strict=True) if g is not None
        ]
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [g for g, _ in pairs])
        model.optimizer.apply(summed, [v for _, v in pairs])
        self.loss.update_state(loss, sample_weight=tf.shape(tf.nest.flatten(samples)[0])[0])
        model.compute_metrics(samples, targets, answers)

    def _open(self, context: Any) -> Any:
        import tensorflow as tf

        signature = (*self.batches.signature(), tf.TensorSpec((), tf.float32))
        return tf.data.Dataset.from_generator(self._deal, output_signature=signature).prefetch(4)

    def _deal(self) -> Iterator[tuple[Any, Any, float]]:
        """This worker's rows of every batch, one part for each of its devices.

        A batch with fewer rows than there are replicas goes to each of them as a whole.
        """
        import tensorflow as tf

        replicas, own = self.team.replicas, self.team.replicas // len(self.team.cluster)
        for samples, targets in self.batches.shuffle():
            for replica in range(self.team.cluster.index * own, (self.team.cluster.index + 1) * own):
                enough = len(samples) >= replicas
                rows = slice(replica, None, replicas) if enough else slice(None)
                share = len(samples[rows]) / len(samples) if enough else 1 / replicas
                yield samples[rows], tf.nest.map_structure(lambda part, rows=rows: part[rows], targets), share


def _draws(variable: Any) -> bool:
    """Whether random numbers are drawn from a variable, as its path says."""
    return str(variable.path).endswith("seed_generator_state")


def _describe(twin: _Twin, callbacks: Sequence[Any], recorder: Recorder, identity: str, epoch: int) -> Backup:
    arrays, notes = backups.describe(callbacks)
    variables = {f"variable_{k}": np.asarray(v) for k, v in enumerate(twin.variables)}
    kept = {"callbacks": notes, "epochs": recorder.epochs, "gradients": recorder.gradients}
    return Backup(identity, epoch, {**variables, **arrays}, kept)


def _resume(team: Team, twin: _Twin, callbacks: Sequence[Any], recorder: Recorder, identity: str) -> int:
    """Go back to the end of the backup's epoch; how many epochs are done."""
    backup = team.resume(identity)
    if backup is None:
        return 0
    for k, variable in enumerate(twin.variables):
        twin.restore(variable, backup.arrays[f"variable_{k}"])
    backups.restore(callbacks, backup)
    recorder.epochs[:] = backup.notes["epochs"]
    recorder.gradients[:] = backup.notes["gradients"]
    if team.cluster.chief:
        team.notice(f"Training goes on after epoch {backup.epoch}, from the backup in {team.path}.")
    return backup.epoch
