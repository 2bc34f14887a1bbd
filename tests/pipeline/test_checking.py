"""The doctor: every planted fault is caught by the right finding, and a good recipe hears nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import run

from pipeline import check

GOOD = """\
import keras
from keras import layers
dataset = "spirals"
batch_size, epochs = 32, 20
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]
class Noise(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))
def frozen(*tensors):
    model = keras.Model(*tensors)
    model.trainable = False
    return model
def build():
    point = keras.Input((2,), name="point")
    x = layers.Dense(32, activation="relu", kernel_initializer="he_normal", name="first")(point)
    x = layers.Dropout(0.1, name="dropout")(x)
    x = layers.Dense(32, activation="relu", kernel_initializer="he_normal", name="second")(x)
    return keras.Model(point, layers.Dense(3, activation="softmax", name="arm")(x))
def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(0.01)
def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True)]
"""
SUBCLASSED = (
    GOOD[: GOOD.index("def build")]
    + """class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(32, activation="relu")
        self.drop = layers.Dropout(0.3)
        self.arm = layers.Dense(3, activation="softmax")
    def call(self, x):
        return self.arm(self.drop(self.first(x), training=False))
def build():
    return Net()
"""
    + GOOD[GOOD.index("def optimizer") :]
)
PRICES = (
    GOOD.replace('"spirals"', '"housing"')
    .replace("sparse_categorical_crossentropy", "mean_squared_error")
    .replace('"accuracy"', '"mean_absolute_error"')
    .replace("Input((2,)", "Input((4,)")
    .replace("(point)\n    x = layers.Dropout", "(layers.Normalization(name='scale')(point))\n    x = layers.Dropout")
    .replace('layers.Dense(3, activation="softmax", name="arm")', 'layers.Dense(1, name="price")')
    + 'def adapt(model, samples):\n    model.get_layer("scale").adapt(samples)\n'
)
HE = 'activation="relu", kernel_initializer="he_normal", name="second"'
BACK = "    return keras.Model("
DEEP = "\n".join('    x = layers.Dense(16, activation="sigmoid")(x)' for _ in range(12))

FAULTS = {
    "inputs of very different scales": (PRICES, ".adapt(samples)", "", "input-scale", "'area'"),
    "no softmax": (GOOD, 'activation="softmax", name="arm"', 'name="arm"', "output-loss", "linear"),
    "a sigmoid that cannot reach the targets": (
        PRICES, 'Dense(1, name="price")', 'Dense(1, activation="sigmoid", name="price")', "output-loss", "sigmoid",
    ),
    "softmax over one unit": (
        GOOD.replace("spirals", "rings").replace("sparse_categorical", "binary"), "Dense(3,", "Dense(1,",
        "output-loss", "1 units",
    ),
    "weights that start alike": (GOOD, HE, HE.replace("he_normal", "ones"), "initializer", "'second'"),
    "weights that start too large": (
        GOOD, '"he_normal", name="second"', 'keras.initializers.RandomNormal(stddev=3.0), name="second"',
        "initializer", "RandomNormal",
    ),
    "noise in inference": (GOOD, 'layers.Dropout(0.1, name="dropout")', "Noise()", "dropout", "Two inference runs"),
    "dropout of nearly all": (GOOD, "Dropout(0.1", "Dropout(0.95", "dropout", "'dropout' drops 95%"),
    "dropout that never drops": (SUBCLASSED, "", "", "dropout", "would drop"),
    "dead ReLUs": (GOOD, HE, HE + ", bias_initializer=keras.initializers.Constant(-20)", "dead-units", "'second'"),
    "saturated units": (
        GOOD, HE, 'activation="tanh", bias_initializer=keras.initializers.Constant(9), name="second"',
        "saturated-units", "'second' (tanh)",
    ),
    "a bold first guess": (
        GOOD, 'name="arm")', 'bias_initializer=lambda shape, dtype=None: keras.ops.array([9.0, 0, 0]), name="arm")',
        "initial-loss", "ln 3",
    ),
    "vanishing gradients": (GOOD, BACK, DEEP + "\n" + BACK, "gradients-vanish", "norm"),
    "targets in cents": (
        PRICES, "def optimizer", "def targets(x, y):\n    return y * 1e7\ndef optimizer", "gradients-explode", "norm",
    ),
    "steps too long": (GOOD, "Adam(0.01)", "Adam(30.0)", "learning-rate", "training loss went from"),
    "steps too short": (GOOD, "Adam(0.01)", "SGD(1e-7)", "memory", "8 samples"),
    "nothing that trains": (
        GOOD, "keras.Model(point, ", "frozen(point, ", "gradients", "No layer",
    ),
    "too few units for the labels": (GOOD, "Dense(3,", "Dense(2,", "suitability", "2 units"),
    "an input of another shape": (GOOD, "Input((2,)", "Input((3,)", "suitability", "(3,)"),
    "a class that never occurs": (GOOD, "Dense(3,", "Dense(4,", "labels", "class 3 never occurs"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_the_first_finding(fault: str, tmp_path: Path) -> None:
    source, old, new, expected, words = FAULTS[fault]
    assert old in source
    (tmp_path / "net.py").write_text(source.replace(old, new))
    found = check(tmp_path / "net.py")
    assert not found.healthy
    first = found.findings[0]
    assert (first.check, words in first.seen) == (expected, True), [(f.check, f.seen) for f in found.findings]
    assert all(f.seen.endswith(".") and f.why.endswith((".", ":")) and f.change for f in found.findings)


def _write(path: Path, labels: np.ndarray, samples: np.ndarray) -> None:
    np.savez(path, x_train=samples, y_train=labels, x_test=samples[:50], y_test=labels[:50])


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [("rare", "labels", "class 2 only 2"), ("random", "baseline", "always giving the same answer")],
)
def test_faults_of_the_data_are_found_in_ones_own_file(tmp_path: Path, fault: str, expected: str, words: str) -> None:
    random = np.random.default_rng(0)
    samples = random.normal(0, 1, (1200, 2)).astype(np.float32)
    labels = random.integers(0, 3, 1200) if fault == "random" else (samples[:, 0] > 0).astype(np.int64)
    labels[:2] = 2
    _write(tmp_path / "own.npz", labels, samples)
    (tmp_path / "net.py").write_text(GOOD.replace('"spirals"', '"own.npz"'))
    found = check(tmp_path / "net.py")
    assert [f.check for f in found.findings][:1] == [expected], [(f.check, f.seen) for f in found.findings]
    assert words in found.findings[0].seen
    assert found.dataset == "own"


SCORES = GOOD.replace('activation="softmax", ', "").replace(
    '"sparse_categorical_crossentropy"', "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
)


STEPS = (
    GOOD.replace('"spirals"', '"waves"').replace("Input((2,)", "Input((48, 1)").replace("Dense(3,", "Dense(2,")
    + "def targets(waves, labels):\n    return (waves[:, :, 0] > 0).astype('int64')\n"
)


@pytest.mark.parametrize(
    "source", [GOOD, PRICES, SCORES, STEPS], ids=["classes", "numbers", "scores", "a class for each step"]
)
def test_the_recipe_without_the_fault_hears_nothing(source: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(source)
    assert check(tmp_path / "net.py").findings == ()


@pytest.mark.parametrize("name", ["xor", "rings", "spirals", "tabular", "loan", "housing", "gru", "autoencoder", "mlp"])
def test_good_recipes_hear_nothing_and_their_figures_are_plausible(name: str) -> None:
    found = check(name)
    assert found.findings == (), [(f.check, f.seen) for f in found.findings]
    assert found.skipped == ()
    for start in found.figures["initial-loss"].values():
        assert 0.4 * start["expected"] < start["loss"] < 1.75 * start["expected"]
    assert found.figures["memory"]["steps"] < 400


def test_the_perceptron_fails_on_xor_as_it_should() -> None:
    found = check("perceptron")
    assert [f.check for f in found.findings][:1] == ["memory"]
    assert "baseline" in {f.check for f in found.findings}


def test_the_command_tells_people_and_scripts_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(GOOD.replace('activation="softmax", name="arm"', 'name="arm"'))
    done = run("check", "xor", tmp_path / "net.py", "no-such-recipe", "--json")
    assert done.code == 2, done.err
    good, bad, missing = map(json.loads, done.out.splitlines())
    assert (good["model"], good["healthy"], good["findings"]) == ("xor", True, [])
    assert (bad["healthy"], bad["findings"][0]["check"]) == (False, "output-loss")
    assert set(bad["findings"][0]) == {"check", "seen", "why", "change"}
    assert missing["status"] == "ERROR"
    shown = run("check", tmp_path / "net.py")
    assert shown.code == 1
    assert all(word in shown.out for word in ("output-loss", "Why:", "Do:", "softmax"))
