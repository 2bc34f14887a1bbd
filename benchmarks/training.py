"""Time until a test accuracy is reached: isomer's recipes beside Keras' own example scripts for MNIST.

Both sides train on the same images in a process of their own and never see the test set. At the end of every epoch a
copy of the weights and the seconds so far are kept; after the training each of these is judged on the 10,000 test
images, and the first that reaches the target counts. So a schedule that needs its last epoch is charged with all of
them, and nothing stops because of the test set.

Seconds run from before the model is built until the epoch's end, validation included: TensorFlow's import and the
reading of the data are the same for both. CPU seconds (all threads) are given beside them, since they hardly depend
on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

NAME = "training: isomer / Keras' example scripts, time until a test accuracy"
AIM = 1 / 3


@dataclass(frozen=True)
class Race:
    """A target, and how each side runs for it.

    Attributes:
        target: test accuracy.
        recipe, epochs: isomer's side, as `isomer train RECIPE --epochs N`.
        script: Keras' side, a function of this module.
    """

    target: float
    recipe: str
    epochs: int
    script: str


RACES = {"mlp": Race(0.986, "mlp", 8, "mnist_mlp"), "cnn": Race(0.992, "cnn", 4, "mnist_convnet")}
SIDES = ("isomer", "keras")


def run(rounds: int) -> dict[str, Any]:
    """Seconds, CPU seconds and epochs until the target, for each race and side; rounds use seeds 0, 1, ... in turn."""
    found: dict[str, Any] = {}
    for name, race in RACES.items():
        sides: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for seed in range(rounds):
            for side in SIDES:
                command = [sys.executable, "-m", "benchmarks.training", name, side, "--seed", str(seed)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                sides[side].append(json.loads(done.stdout.splitlines()[-1]))
        found[name] = {"target": race.target, "aim": AIM, "sides": sides, "ratios": _ratios(sides)}
    return found


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """One line for each side of each race, and the ratios."""
    for name, race in figures.items():
        yield f"  {name} to {race['target']:.1%}"
        for side, runs in race["sides"].items():
            yield f"    {side:<13} " + "; ".join(_describe(r) for r in runs)
        for side, ratio in race["ratios"].items():
            bound = " or less" if ratio["bound"] else ""
            yield (
                f"    isomer / {side}: {ratio['seconds']:.2f} of the seconds, {ratio['cpu']:.2f} of the CPU seconds"
                f"{bound} (medians; aim: {race['aim']:.2f})"
            )


def _describe(run: dict[str, Any]) -> str:
    best = f"best {run['best']:.2%}"
    if run["reached"] is None:
        return f"not in {run['epochs']} epochs, {run['seconds']:.0f} s, CPU {run['cpu']:.0f} s ({best})"
    return f"epoch {run['reached']} of {run['epochs']}, {run['seconds']:.0f} s, CPU {run['cpu']:.0f} s ({best})"


def _ratios(sides: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """isomer's medians over the others'. A side that never got there is charged with its whole training: a bound."""
    ours = sides["isomer"]
    if any(r["reached"] is None for r in ours):
        return {}
    return {
        side: {
            **{k: median(r[k] for r in ours) / median(r[k] for r in runs) for k in ("seconds", "cpu")},
            "bound": any(r["reached"] is None for r in runs),
        }
        for side, runs in sides.items()
        if side != "isomer"
    }


class Diary:
    """Copies of the weights at epochs' ends, with the seconds since it was opened."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, float, list[np.ndarray]]] = []
        self._began = (time.perf_counter(), time.process_time())

    def as_callback(self) -> Any:
        import keras

        diary = self

        class Write(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                wall, cpu = diary._began
                seconds = (time.perf_counter() - wall, time.process_time() - cpu)
                diary.entries.append((*seconds, self.model.get_weights()))

        return Write()

    def judge(self, model: Any, x: np.ndarray, y: np.ndarray, target: float) -> dict[str, Any]:
        """When the target was first reached on samples x [N, ...] with class numbers y [N]."""
        shares = []
        for _, _, weights in self.entries:
            model.set_weights(weights)
            shares.append(float((model.predict(x, batch_size=500, verbose=0).argmax(-1) == y).mean()))
        reached = next((k for k, share in enumerate(shares) if share >= target), None)
        seconds, cpu, _ = self.entries[-1 if reached is None else reached]
        return {
            "reached": None if reached is None else reached + 1,
            "epochs": len(shares),
            "seconds": seconds,
            "cpu": cpu,
            "best": max(shares),
            "accuracies": shares,
        }


def isomer(race: Race, data: Any, seed: int) -> tuple[Diary, Any]:
    """`isomer train RECIPE --epochs N`, without the receipt."""
    from pipeline import recipes, training
    from pipeline.fitting import fit

    recipe = recipes.load(race.recipe)
    diary = Diary()
    given = recipe.module.callbacks
    recipe.module.callbacks = lambda: [*given(), diary.as_callback()]
    learned, watched = training.split(data)
    return diary, fit(recipe, learned, watched, seed=seed, limit=race.epochs).model


def mnist_convnet() -> tuple[Any, int]:
    """Net and settings of "Simple MNIST convnet" in Keras' documentation: two convolutions, batch 128, 15 epochs."""
    import keras
    from keras import layers

    image = keras.Input((28, 28))
    x = layers.Reshape((28, 28, 1))(image)
    for filters in (32, 64):
        x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 3, activation="relu")(x))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, 15


def mnist_mlp() -> tuple[Any, int]:
    """The net and settings of Keras' old mnist_mlp.py: 512-512 with dropout 0.2, RMSprop, batch 128, 20 epochs."""
    import keras
    from keras import layers

    image = keras.Input((28, 28))
    x = layers.Flatten()(image)
    for _ in range(2):
        x = layers.Dropout(0.2)(layers.Dense(512, activation="relu")(x))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, 20


def keras_script(script: Callable[[], tuple[Any, int]], data: Any, seed: int) -> tuple[Diary, Any]:
    """An example script: all else as Keras has it (no XLA on a CPU), a tenth of the samples for validation."""
    import keras

    keras.utils.set_random_seed(seed)
    diary = Diary()
    model, epochs = script()
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=128,
        epochs=epochs,
        validation_split=0.1,
        callbacks=[diary.as_callback()],
        verbose=0,
    )
    return diary, model


def main() -> None:
    """One side of one race, in this process; its figures as a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("race", choices=RACES)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from pipeline import datasets, frameworks

    frameworks.load()
    race, data = RACES[options.race], datasets.load("mnist")
    if data.substitute:
        parser.error(data.notice)
    if options.side == "isomer":
        diary, model = isomer(race, data, options.seed)
    else:
        diary, model = keras_script(globals()[race.script], data, options.seed)
    print(json.dumps(diary.judge(model, data.x_test, data.y_test, race.target)))


if __name__ == "__main__":
    main()
