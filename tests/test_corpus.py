"""The corpus is complete: every public layer and every family of applications is in it, or left out with a reason."""

from __future__ import annotations

import inspect

import keras
from corpus import PARTS, all_models, exclusions
from corpus.applications import FAMILIES

MODELS = all_models()


def test_names_are_unique_and_say_what_they_are() -> None:
    names = [m.name for m in MODELS]
    assert len(set(names)) == len(names)
    assert {m.part for m in MODELS} == set(PARTS)


def test_every_public_layer_is_covered_or_left_out_with_a_reason() -> None:
    public = {name: value for name, value in vars(keras.layers).items() if inspect.isclass(value)}
    covered = {getattr(keras.layers, m.subject) for m in MODELS if m.part == "layers"}
    missing = {value.__name__ for value in public.values() if value not in covered}
    assert missing == set(exclusions.LAYERS)


def test_every_family_of_applications_is_covered_or_left_out_with_a_reason() -> None:
    families = {name for name, value in vars(keras.applications).items() if inspect.ismodule(value)}
    covered = {constructor.__module__.rpartition(".")[2] for constructor, *_ in FAMILIES.values()}
    assert families - covered == set(exclusions.APPLICATIONS)


def test_every_exclusion_gives_its_reason_in_a_sentence() -> None:
    for reason in (*exclusions.LAYERS.values(), *exclusions.APPLICATIONS.values()):
        assert reason.endswith(".") and len(reason) > 20
