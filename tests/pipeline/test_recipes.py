"""Recipes: found by name or path, run in isolation, refused in one sentence that names file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import datasets, heads, recipes, suitability
from pipeline.errors import ModelError, UsageError

GOOD = """\
import keras
dataset = "mnist"
batch_size = 32
epochs = 2
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]
def build():
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Flatten()(image)
    return keras.Model(image, keras.layers.Dense(10, activation="softmax", name="probabilities")(x))
def optimizer(steps_per_epoch):
    return keras.optimizers.SGD(0.1)
def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True)]
"""
DIGITS = ("cnn", "lstm", "mlp", "softmax", "vit")
# Name: dataset, input, its shape, outputs with their last axis and what they mean.
SMALL = {
    "autoencoder": (
        "digits",
        "image",
        (28, 28),
        {"code": (8, "untrained"), "digit": (10, "classes"), "restored": (28, "numbers")},
    ),
    "gru": ("waves", "wave", (48, 1), {"probabilities": (3, "classes")}),
    "housing": ("housing", "house", (4,), {"price": (1, "numbers")}),
    "loan": ("loan", "applicant", (5,), {"repaid": (1, "binary")}),
    "perceptron": ("xor", "point", (2,), {"chance": (1, "binary")}),
    "rings": ("rings", "point", (2,), {"inner": (1, "binary")}),
    "spirals": ("spirals", "point", (2,), {"probabilities": (3, "classes")}),
    "tabular": ("tabular", "columns", (10,), {"probabilities": (2, "classes")}),
    "xor": ("xor", "point", (2,), {"chance": (1, "binary")}),
}


def write(folder: Path, source: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(source)
    return path


def test_the_recipes_are_there_by_name() -> None:
    assert recipes.names() == tuple(sorted((*DIGITS, *SMALL)))
    assert all(recipes.find(name).is_file() for name in recipes.names())


@pytest.mark.parametrize("name", SMALL)
def test_a_small_recipe_reads_its_dataset_and_says_what_its_outputs_mean(name: str) -> None:
    dataset, entry, shape, outputs = SMALL[name]
    recipe, data = recipes.load(name), datasets.load(dataset)
    model = recipe.build()
    assert (model.name, model.inputs[0].name, model.inputs[0].shape[1:]) == (name, entry, shape)
    assert recipe.dataset == dataset and data.x_train.shape[1:] == shape
    assert recipe.optimizer(10) and recipe.callbacks()
    suitability.require(recipe, model, data.x_train, data.y_train)
    found = heads.find(recipe, model, data.x_train[:2], data.y_train[:2])
    assert {head.output: (head.units, str(head.kind)) for head in found} == outputs
    expected = {
        "classes": ("softmax",),
        "binary": ("sigmoid",),
        "numbers": ("linear", "sigmoid"),
        "untrained": ("linear",),
    }
    assert all(head.activation in expected[head.kind] for head in found)


@pytest.mark.parametrize("name", DIGITS)
def test_every_recipe_keeps_the_promises_of_the_house(name: str) -> None:
    recipe = recipes.load(name)
    model = recipe.build()
    assert (model.name, model.inputs[0].name, tuple(model.inputs[0].shape)) == (name, "image", (None, 28, 28))
    assert model.output_names == ["probabilities"] and tuple(model.outputs[0].shape) == (None, 10)
    assert recipe.optimizer(10) and recipe.callbacks() and recipe.dataset == "mnist"
    assert name != "cnn" or model.count_params() <= 120_000
    images = np.random.default_rng(0).random((6, 28, 28), np.float32)
    before = images.copy()
    first, second = (recipe.augment(images, np.random.default_rng(1)) for _ in range(2))
    assert first.shape == images.shape and first.dtype == np.float32
    assert np.array_equal(first, second) and np.array_equal(images, before)


def test_a_recipe_anywhere_is_loaded_by_path_and_leaves_no_trace(tmp_path: Path) -> None:
    before = list(sys.path)
    recipe = recipes.load(write(tmp_path, GOOD))
    assert (recipe.name, recipe.path, recipe.batch_size, recipe.epochs) == ("mine", tmp_path / "mine.py", 32, 2)
    assert not recipe.augments and "mine" not in sys.modules
    assert sys.path == before and [p.name for p in tmp_path.iterdir()] == ["mine.py"]
    assert recipes.load(write(tmp_path, GOOD + "\n")).sha256 != recipe.sha256


@pytest.mark.parametrize(
    ("asked", "answer"), [("cmn", "'cnn'"), ("MLP", "'mlp'"), ("zzz", "vit, xor"), ("no/such.py", "no/such.py")]
)
def test_an_unknown_recipe_gets_a_suggestion(asked: str, answer: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipes.find(asked)
    assert answer in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (GOOD + "print(1 / 0)\n", ["line 15", "ZeroDivisionError: division by zero"]),
        (GOOD + "def broken(:\n", ["line 15", "SyntaxError"]),
        (GOOD + "import no_such_module\n", ["line 15", "no_such_module"]),
        (GOOD + "raise SystemExit(3)\n", ["line 15", "SystemExit: 3"]),
        (GOOD.replace("loss =", "lost ="), ["does not define 'loss'"]),
        (GOOD.replace("epochs = 2", "epochs = 'two'"), ["'epochs'", "a str, not int"]),
        (GOOD.replace("epochs = 2", "epochs = 0"), ["'epochs'", "0, not a positive number"]),
        (GOOD.replace("def build", "def built"), ["does not define 'build'"]),
        (GOOD.replace('["accuracy"]', "[]"), ["'metrics'", "empty"]),
        (GOOD.replace('["accuracy"]', "'accuracy'"), ["'metrics'", "a str, not list or tuple or dict"]),
        (GOOD + "targets = 3\n", ["'targets'", "an int, not a function"]),
        (GOOD + "augment = 3\n", ["'augment'", "an int, not a function"]),
    ],
)
def test_a_faulty_recipe_is_refused_in_one_sentence(tmp_path: Path, source: str, words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        recipes.load(write(tmp_path, source))
    assert all(word in caught.value.what for word in [str(tmp_path / "mine.py"), *words]), caught.value.what
    assert "\n" not in str(caught.value) and "README" in caught.value.fix


def test_what_a_recipes_functions_do_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    source = GOOD.replace("x = keras.layers.Flatten()(image)", "x = keras.layers.Reshape((5, 5))(image)")
    source = source.replace("SGD(0.1)", "SGD(0.1).learning_rate").replace(", restore_best_weights=True", "")
    recipe = recipes.load(write(tmp_path, source + "def augment(images, random):\n    return images[:, 1:]\n"))
    with pytest.raises(ModelError, match=r"build\(\) in .*mine.py, line 9, raised ValueError: .* The total size"):
        recipe.build()
    with pytest.raises(ModelError, match=r"optimizer\(\) in .* returned a .*, not a keras.optimizers.Optimizer"):
        recipe.optimizer(10)
    with pytest.raises(ModelError, match="restore_best_weights=True"):
        recipe.callbacks()
    with pytest.raises(ModelError, match=r"float32 array of shape \(6, 27, 28\)"):
        recipe.augment(np.zeros((6, 28, 28), np.float32), np.random.default_rng(0))


def test_what_a_recipe_prints_stays_out_of_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipes.load(write(tmp_path, "print('hello')\n" + GOOD))
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "hello\n"
