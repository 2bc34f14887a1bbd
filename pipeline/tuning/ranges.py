"""What a recipe declares worth trying, checked, and a trial's draw from it."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ModelError
from pipeline.recipes import GUIDE, Recipe


def declared(recipe: Recipe) -> dict[str, Any]:
    """The ranges that a recipe declares, checked.

    Raises:
        ModelError: there are none, or one is not a range, or names no variable of the recipe.
    """
    ranges = getattr(recipe.module, "ranges", None)
    if not isinstance(ranges, dict) or not ranges:
        raise ModelError(
            f"The recipe {recipe.path} declares no ranges to search.",
            'Add, for example: rate = 1e-3 and ranges = {"rate": (1e-4, 1e-1, "log")}, and use `rate` in optimizer().',
        )
    for name, span in ranges.items():
        if not hasattr(recipe.module, name):
            raise ModelError(
                f"'ranges' in {recipe.path} names '{name}', which is no variable of the recipe.",
                f"Define {name} at the top of the file and use it in build() or optimizer().",
            )
        numbers = isinstance(span, tuple) and len(span) in (2, 3) and all(_number(v) for v in span[:2])
        if not (isinstance(span, list) and span) and not (
            numbers and span[0] < span[1] and (len(span) == 2 or (span[2] == "log" and span[0] > 0))
        ):
            raise ModelError(
                f"'ranges' in {recipe.path} has {span!r} for '{name}'.",
                f'A range is (low, high), (low, high, "log") with low above 0, or a list of choices. {GUIDE}',
            )
    return ranges


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def suggest(trial: Any, ranges: dict[str, Any]) -> dict[str, Any]:
    """Settings for a trial of Optuna's, by name."""
    return {name: _suggest(trial, name, span) for name, span in ranges.items()}


def _suggest(trial: Any, name: str, span: Any) -> Any:
    if isinstance(span, list):
        return trial.suggest_categorical(name, span)
    low, high, log = span[0], span[1], len(span) == 3
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=log)
