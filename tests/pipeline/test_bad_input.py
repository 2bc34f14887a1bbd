"""Bad input: one clear message, the documented exit code, and nothing that was there is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from command import COMMAND, refused, run, tree

from pipeline import frameworks, keras_file, user_module
from pipeline.errors import ModelError

QUICK = ("--format", "onnx", "--runtime", "onnxruntime", "--device", "cpu")


# --- files that are no models -----------------------------------------------------------------------------------


def rezip(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """A well-formed archive with other members."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def flip_in_weights(good: bytes) -> bytes:
    at = good.index(b"\x89HDF") + 4000
    return good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]


def keras2(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        file.create_group("model_weights")


def lambda_inside(members: dict[str, bytes]) -> None:
    """Hide a Lambda where a look at the top layers does not find it."""
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAA==", "defaults": None, "closure": None}}
    layer = {"class_name": "Lambda", "config": {"name": "sneaky", "function": code}}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1] = {"class_name": "TimeDistributed", "config": {"name": "outer", "layer": layer}}
    members["config.json"] = json.dumps(config).encode()


FILES: dict[str, tuple[Callable[[Path, Path], Any], str]] = {
    "truncated": (lambda good, bad: bad.write_bytes(good.read_bytes()[:-300]), "not a complete .keras archive"),
    "half": (lambda good, bad: bad.write_bytes(good.read_bytes()[:2000]), "not a complete .keras archive"),
    "empty": (lambda good, bad: bad.touch(), "not a complete .keras archive"),
    "flipped bits": (lambda good, bad: bad.write_bytes(flip_in_weights(good.read_bytes())), "is corrupt"),
    "text": (lambda good, bad: bad.write_text("<html>404 Not Found</html>"), "not a complete .keras archive"),
    "no config": (lambda good, bad: rezip(good, bad, lambda m: m.pop("config.json")), "config.json"),
    "no weights": (lambda good, bad: rezip(good, bad, lambda m: m.pop("model.weights.h5")), "model.weights.h5"),
    "config is no JSON": (
        lambda good, bad: rezip(good, bad, lambda m: m.update({"config.json": b"{'a': 1}"})),
        "not a complete .keras archive",
    ),
    "config is a bomb": (
        lambda good, bad: rezip(good, bad, lambda m: m.update({"config.json": b"[" * 200_000})),
        "not a complete .keras archive",
    ),
    "Keras 2": (lambda good, bad: keras2(bad), "is an HDF5 file, the format of Keras 2"),
    "Lambda": (lambda good, bad: rezip(good, bad, lambda_inside), "Lambda layers (sneaky)"),
    "missing": (lambda good, bad: None, "There is no file"),
    "directory": (lambda good, bad: bad.mkdir(), "There is no file"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_model(case: str, tiny_model: Path, bundle: Path, tmp_path: Path) -> None:
    """It has the name of a model with an earlier bundle; that bundle stays, and nothing joins it."""
    make, words = FILES[case]
    bad = tmp_path / "bad" / "tiny.keras"
    bad.parent.mkdir()
    make(tiny_model, bad)
    before = tree(bundle.parent)
    refused(run("export", bad, "--output", bundle.parents[1]), 2, words, str(bad))
    assert tree(bundle.parent) == before


def test_an_h5_file_is_told_how_to_become_a_keras_file(tmp_path: Path) -> None:
    keras2(tmp_path / "old.h5")
    refused(run("inspect", tmp_path / "old.h5"), 2, "the format of Keras 2", "save('model.keras')")


def test_no_damage_to_an_archive_gets_past_as_a_crash(tiny_model: Path, tmp_path: Path) -> None:
    """Wherever a byte changes, the file is refused in words, or it is still the same model."""
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    good, bad = tiny_model.read_bytes(), tmp_path / "bad.keras"
    directory = good.index(b"PK\x01\x02")
    refusals = 0
    for at in [*dice.sample(range(len(good)), 300), *range(directory, len(good))]:
        bad.write_bytes(good[:at] + bytes([good[at] ^ dice.randrange(1, 256)]) + good[at + 1 :])
        try:
            keras_file.check(bad)
        except ModelError as error:
            refusals += 1
            assert error.what, (seed, at)
    assert refusals > 250, seed


# --- requests that make no sense --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "cnnn"), "no recipe 'cnnn'. Did you mean 'cnn'?"),
        (("train", "vti"), "Did you mean 'vit'?"),
        (("inspect", "nowhere/recipe.py"), "There is no recipe file 'nowhere/recipe.py'"),
        (("export", "{model}", "--format", "onnx,cormel"), "There is no format 'cormel'. Choose from"),
        (("export", "{model}", "--runtime", "tensorrt"), "There is no runtime 'tensorrt'. Choose from"),
        (("export", "{model}", "--device", "tpu"), "There is no device 'tpu'. Choose from"),
        (("export", "{model}", "--format", "onnx", "--runtime", "litert"), "leaves no runtime for onnx"),
        (("export", "{model}", "--data", "nowhere.npz", *QUICK), "There is no file 'nowhere.npz'"),
        (("verify", "nowhere"), "There is no bundle at 'nowhere'"),
        (("validate", "{directory}"), "holds no bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_request_that_makes_no_sense(
    arguments: tuple[str, ...], words: str, tiny_model: Path, tmp_path: Path
) -> None:
    fields = {"model": tiny_model, "directory": tmp_path}
    where = ("--output", tmp_path / "out") if arguments[0] == "export" else ()
    refused(run(*(a.format(**fields) for a in arguments), *where), 2, words)
    assert list(tmp_path.glob("out/tiny/[0-9]*")) == []


RECIPE = """\
import keras
dataset = "digits"
batch_size, epochs, loss, metrics = 32, 1, "sparse_categorical_crossentropy", ["accuracy"]
def build():
    raise RuntimeError("no such backbone")
def optimizer(steps_per_epoch): ...
def callbacks(): return []
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ValueError('unfinished')\n", ["recipe.py, line 1, raised ValueError: unfinished"]),
        (RECIPE, ["build() in", "recipe.py, line 5, raised RuntimeError: no such backbone"]),
    ],
    ids=["at once", "in build"],
)
def test_a_recipe_that_raises(source: str, words: list[str], bundle: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text(source)
    base = bundle.parent.rename(bundle.parents[1] / "recipe")  # an earlier bundle of the same name
    before = tree(base / "1")
    done = run("export", recipe, "--output", base.parent, "--runs", tmp_path / "runs", *QUICK)
    refused(done, 2, *words)
    assert tree(base / "1") == before
    assert [p.name for p in base.iterdir() if p.is_dir()] == ["1"]


# --- bundles that are not what was exported ---------------------------------------------------------------------


def change_a_byte(bundle: Path) -> str:
    path = bundle / "onnx" / "float32.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "onnx/float32.onnx: its content changed"


def cut_a_file(bundle: Path) -> str:
    os.truncate(bundle / "tflite" / "float32.tflite", 100)
    return "tflite/float32.tflite: 100 bytes"


def remove_a_file(bundle: Path) -> str:
    (bundle / "variables" / "variables.index").unlink()
    return "variables/variables.index: missing"


def add_a_file(bundle: Path) -> str:
    (bundle / "assets").mkdir()
    (bundle / "assets" / "extra.txt").touch()
    return "assets/extra.txt: not part of the bundle"


def add_a_link(bundle: Path) -> str:
    (bundle / "link").symlink_to("/etc")
    return "link: not part of the bundle"


def lose_the_manifest(bundle: Path) -> str:
    (bundle / "manifest.json").unlink()
    return "has no manifest.json: it is no bundle, or half of one"


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(bundle: Path) -> None:
        manifest = json.loads((bundle / "manifest.json").read_text())
        change(manifest)
        (bundle / "manifest.json").write_text(json.dumps(manifest))

    return apply


def garble_the_manifest(bundle: Path) -> str:
    (bundle / "manifest.json").write_bytes(b"\xff\xfe{}")
    return "manifest.json' is not JSON"


def nest_the_manifest(bundle: Path) -> str:
    (bundle / "manifest.json").write_text("[" * 100_000)
    return "manifest.json' is not JSON"


def empty_the_manifest(bundle: Path) -> str:
    (bundle / "manifest.json").write_text("{}")
    return "is a required property"


def forge_a_hash(bundle: Path) -> str:
    change_a_byte(bundle)
    edit(lambda m: m["files"][0].update(sha256="0" * 64))(bundle)
    return "manifest.json: its digest does not match its own list"


def point_outside(bundle: Path) -> str:
    edit(lambda m: m["files"][0].update(path="../../../etc/passwd"))(bundle)
    return "manifest.files[0].path"


@pytest.mark.parametrize("verb", ["verify", "validate"])
@pytest.mark.parametrize(
    "damage",
    [
        change_a_byte,
        cut_a_file,
        remove_a_file,
        add_a_file,
        add_a_link,
        lose_the_manifest,
        garble_the_manifest,
        nest_the_manifest,
        empty_the_manifest,
        forge_a_hash,
        point_outside,
    ],
)
def test_a_bundle_that_is_not_what_was_exported(damage: Callable[[Path], str], verb: str, bundle: Path) -> None:
    words = damage(bundle)
    done = run(verb, bundle, *(QUICK[2:] if verb == "validate" else ()))
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert "does not know" not in done.err
    if verb == "validate":
        refused(done, 2, words)
        assert "running the cells" not in done.err


def test_verify_lists_everything_that_is_wrong(bundle: Path) -> None:
    words = [damage(bundle) for damage in (change_a_byte, cut_a_file, remove_a_file, add_a_file)]
    done = run("verify", bundle, "--json")
    (line,) = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, line["intact"], len(line["problems"])) == (2, False, 4)
    for word in words:
        assert sum(word in problem for problem in line["problems"]) == 1


# --- places that cannot be written ------------------------------------------------------------------------------


def may_mount() -> bool:
    return subprocess.run([*MOUNTS, "true"], capture_output=True).returncode == 0


MOUNTS = ("unshare", "--map-root-user", "--mount")


def test_an_output_below_a_file(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    refused(run("export", tiny_model, "--output", tmp_path / "file"), 3, "cannot be written: Not a directory")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.skipif(shutil.which("unshare") is None or not may_mount(), reason="mounts are not permitted here")
def test_an_output_on_a_read_only_disk(tiny_model: Path, bundle: Path) -> None:
    base = bundle.parent
    before = tree(base)
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    done = run("export", tiny_model, "--output", base.parent, prefix=(*MOUNTS, "sh", "-c", script, str(base)))
    refused(done, 3, f"'{base}' cannot be written: Read-only file system", "Choose another --output")
    assert tree(base) == before


@pytest.mark.parametrize("kilobytes", [8, 200])
@pytest.mark.skipif(shutil.which("unshare") is None or not may_mount(), reason="mounts are not permitted here")
def test_a_full_disk(kilobytes: int, tiny_model: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """A file system of its own, with an earlier bundle and so much room: TensorFlow meets the end, or the report."""
    before, after, output = tiny_bundle.parent, tmp_path / "after", tmp_path / "out"
    (output / "tiny").mkdir(parents=True)
    taken = sum(-(-p.stat().st_size // 4096) * 4 if p.is_file() else 4 for p in before.rglob("*"))
    script = """
        set -e
        mount -t tmpfs -o size="$3"k tmpfs "$2/tiny"
        cp -a "$0/." "$2/tiny/"
        set +e
        out=$2; after=$1; shift 3
        "$@"
        code=$?
        cp -a "$out/tiny" "$after"
        exit $code
    """
    arguments = (script, before, after, output, taken + kilobytes)
    options = ("export", tiny_model, "--output", output, "--runtime", "litert,onnxruntime", "--device", "cpu")
    done = run(*options, prefix=(*MOUNTS, "sh", "-c", *map(str, arguments)))
    refused(done, 3, "no room to write", "No space left on device", "Nothing was published")
    assert tree(after) == tree(before)


def test_a_limit_on_the_size_of_files(tiny_model: Path, bundle: Path) -> None:
    """The same without mounts: the system refuses to make a file longer than some kilobytes."""
    before = tree(bundle)
    limited = ("sh", "-c", 'ulimit -f 16; exec "$0" "$@"')
    done = run("export", tiny_model, *QUICK, "--output", bundle.parents[1], prefix=limited)
    refused(done, 3, "no room to write", "Nothing was published")
    assert tree(bundle) == before
    assert [p.name for p in bundle.parent.iterdir() if p.is_dir()] == ["1"]


# --- what Keras lets through ------------------------------------------------------------------------------------

LAYERS = """\
import keras

@keras.saving.register_keras_serializable("isomer_tests")
class Scale(keras.layers.Layer):
    def call(self, x):
        return x * 2.0

@keras.saving.register_keras_serializable("isomer_tests")
class Tower(keras.Model):
    \"\"\"Has no build(): Keras tries a call with floats, which fails half-way, and calls the rest built.\"\"\"
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.embed = keras.layers.Embedding(10, units)
        self.hidden = [keras.layers.Dense(units, activation="relu") for _ in range(3)]
        self.head = keras.layers.Dense(2)
    def call(self, inputs):
        x = self.hidden[0](keras.ops.mean(self.embed(inputs["tokens"]), axis=1))
        odd = keras.ops.bitwise_and(inputs["tokens"], 1)
        for layer in self.hidden[1:]:
            x = layer(x * keras.ops.cast(keras.ops.sum(odd, axis=1, keepdims=True), "float32"))
        return self.head(x)
"""

MAKE = """
import keras, numpy as np, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import layers as mine
where = Path(sys.argv[1])
x = keras.Input((6,), name="x")
keras.Model(x, keras.layers.Dense(3, name="y")(mine.Scale(name="scale")(x))).save(where / "custom.keras")
keras.Model(x, keras.layers.Dense(3, name="y")(keras.layers.Lambda(lambda t: t * 3.0, name="triple")(x))).save(
    where / "lambda.keras")
tower = mine.Tower()
tower({"tokens": np.zeros((2, 7), "int32")})
tower.save(where / "tower.keras")
"""


@pytest.fixture(scope="module")
def peculiar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `layers.py`, and with models of it, written by a process that knows those classes."""
    folder = tmp_path_factory.mktemp("peculiar")
    (folder / "layers.py").write_text(LAYERS)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([COMMAND[0], "-c", MAKE, folder], check=True, env=environment, capture_output=True)
    return folder


def test_a_lambda_is_refused_unless_its_writer_is_trusted(peculiar: Path, tmp_path: Path) -> None:
    arguments = ("export", peculiar / "lambda.keras", *QUICK, "--output", tmp_path / "out")
    refused(run(*arguments), 2, "Lambda layers (triple)", "--unsafe")
    assert not (tmp_path / "out").exists()
    done = run(*arguments, "--unsafe")
    assert done.code == 0, done.err
    assert run("verify", tmp_path / "out" / "lambda").code == 0


def test_custom_layers_need_the_file_that_registers_them(peculiar: Path, tmp_path: Path) -> None:
    arguments = ("export", peculiar / "custom.keras", *QUICK, "--output", tmp_path / "out")
    refused(run(*arguments), 2, "Could not locate class 'Scale'", "--import-module")
    done = run(*arguments, "--import-module", peculiar / "layers.py")
    assert done.code == 0, done.err
    assert run("verify", tmp_path / "out" / "custom").code == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [(None, "There is no Python file"), ("x = 1\n1 / 0\n", "layers.py', line 2, raised ZeroDivisionError")],
)
def test_a_file_to_import_that_does_not(source: str | None, words: str, peculiar: Path, tmp_path: Path) -> None:
    module = tmp_path / "layers.py"
    if source:
        module.write_text(source)
    refused(run("inspect", peculiar / "custom.keras", "--import-module", module), 2, words)


def test_a_model_that_restores_only_some_of_its_weights_is_refused(peculiar: Path) -> None:
    frameworks.load()
    user_module.load(peculiar / "layers.py")
    with pytest.raises(ModelError) as caught:
        keras_file.load(peculiar / "tower.keras")
    assert "weight" in caught.value.what or "variables" in caught.value.what
    assert "build()" in caught.value.fix


def test_the_count_of_weights_is_checked_even_if_keras_says_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """An archive that stores a layer more than its config builds."""

    def add(members: dict[str, bytes]) -> None:
        path = tmp_path / "weights.h5"
        path.write_bytes(members["model.weights.h5"])
        with h5py.File(path, "a") as file:
            file["layers/dense_9/vars/0"] = [[1.0, 2.0]]
        members["model.weights.h5"] = path.read_bytes()

    rezip(tiny_model, tmp_path / "more.keras", add)
    with pytest.raises(ModelError, match="weight values"):
        keras_file.load(tmp_path / "more.keras")
