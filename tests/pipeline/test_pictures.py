"""The pictures of a training: numbers that fit the test set, drawn without loading anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from pipeline import datasets, heads, recipes, training
from pipeline.bundle import schemas
from pipeline.report import pictures
from pipeline.report.training import render

EPOCHS = {"rings": 8, "housing": 2, "autoencoder": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[training.Training, datasets.Dataset]]:
    """A yes or no on a plane, a number, and an image with a class, each trained briefly."""
    place = tmp_path_factory.mktemp("runs")
    done = {}
    for name, epochs in EPOCHS.items():
        recipe = recipes.load(name)
        data = datasets.load(recipe.dataset)
        done[name] = (training.train(recipe, data, epochs=epochs, directory=place), data)
    return done


@pytest.fixture
def entry(trained: Any) -> Any:
    def find(name: str, output: str) -> dict[str, Any]:
        (found,) = [e for e in trained[name][0].receipt["evidence"] if e["output"] == output]
        return found

    return find


@pytest.mark.parametrize("name", EPOCHS)
def test_a_receipt_of_any_kind_follows_its_schema_and_has_a_page(name: str, trained: Any) -> None:
    done, _ = trained[name]
    schemas.validate(done.receipt, "receipt")
    page = (done.path.parent / "receipt.html").read_text()
    assert page == render(done.receipt)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert not {"script", "img", "iframe", "link", "object"} & set(tags)
    assert not re.search(r"(src|href)=\"(?!#)", page)
    for word in ("gradient norm by layer", "optimizer", *done.receipt["means"]["losses"].values()):
        assert word in page


def test_the_plane_is_what_the_net_answers_there(trained: Any, entry: Any) -> None:
    (done, _), found = trained["rings"], entry("rings", "inner")
    boundary = found["boundary"]
    size = boundary["size"]
    assert [len(boundary[who][what]) for who in ("net", "linear") for what in ("answers", "certainty")] == [size**2] * 4
    across = np.linspace(*boundary["x"], size, dtype=np.float32)
    up = np.linspace(*boundary["y"], size, dtype=np.float32)
    row, column = 10, 31  # rows run from the top
    chance = heads.answers(done.model, np.array([[across[column], up[size - 1 - row]]]))["inner"][0, 0]
    assert int(boundary["net"]["answers"][row * size + column]) == int(chance > 0.5)
    assert found["accuracy"] > 0.9 > 0.7 > boundary["linear_accuracy"], "a straight line cannot part two rings"
    net = pictures.answers(done.receipt)[0].squares[0]
    assert {colour for colour, _, _ in net.shades} == {0, 1} and len(net.dots) == 300


def test_confusion_calibration_and_errors_count_every_test_sample(trained: Any, entry: Any) -> None:
    (done, data), found = trained["autoencoder"], entry("autoencoder", "digit")
    chances = heads.answers(done.model, data.x_test)["digit"]
    wrong = chances.argmax(1) != data.y_test
    matrix = np.array(found["confusion"]["matrix"])
    assert matrix.sum(1).tolist() == np.bincount(data.y_test).tolist()
    assert (found["wrong"], matrix.sum() - matrix.trace()) == (wrong.sum(), wrong.sum())
    assert found["accuracy"] == pytest.approx(done.receipt["test"]["digit_accuracy"], abs=1e-6)
    assert sum(b["count"] for b in found["calibration"]["bins"]) == len(data.y_test)
    shown = found["misclassified"]
    assert [m["confidence"] for m in shown] == sorted((m["confidence"] for m in shown), reverse=True)
    for miss in shown:
        row = miss["sample"]
        assert wrong[row] and (miss["label"], miss["answer"]) == (data.y_test[row], chances[row].argmax())
        levels = np.array([int(v, 16) for v in miss["image"]["levels"]]).reshape(28, miss["image"]["width"])
        assert np.abs(levels / 15 - data.x_test[row]).max() <= 1 / 30 + 1e-6


def test_restored_images_go_from_the_best_to_the_worst(entry: Any) -> None:
    found = entry("autoencoder", "restored")
    errors = [r["error"] for r in found["restored"]]
    assert errors == sorted(errors) and len(errors) == 6
    assert "accuracy" not in found and "confusion" not in found


def test_a_regression_shows_what_it_explains_and_no_accuracy(trained: Any, entry: Any) -> None:
    (done, data), found = trained["housing"], entry("housing", "price")
    given = heads.answers(done.model, data.x_test)["price"][:, 0]
    assert found["explained"] == pytest.approx(1 - np.mean((given - data.y_test) ** 2) / data.y_test.var(), abs=1e-4)
    page = (done.path.parent / "receipt.html").read_text()
    assert "of the variance" in page and "accuracy" not in page
    assert training.describe_test(done.receipt).startswith("mean absolute error ")


def test_runs_cover_every_pixel_once() -> None:
    rows = ["0011", "0111", "2222"]
    area = {
        value: sum(int(w) for w in re.findall(r"M\d+ \d+h(\d+)v1h-\d+z", path))
        for value, path in pictures.runs(rows).items()
    }
    assert area == {"0": 3, "1": 5, "2": 4}
