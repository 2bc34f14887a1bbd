"""By which means a model was trained: optimizer, schedule, clipping, regularization, normalization, augmentation."""

from __future__ import annotations

import math
from typing import Any

from pipeline.heads import Head
from pipeline.recipes import Recipe

_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
_LEFT_OUT = {"name", "loss_scale_factor", "gradient_accumulation_steps", "learning_rate", *_CLIPPING}


def describe(recipe: Recipe, model: Any, heads: tuple[Head, ...]) -> dict[str, Any]:
    """The receipt's `means`: what the recipe named, read back from the compiled model itself.

    Only settings that are on are listed.
    """
    optimizer = model.optimizer
    config = optimizer.get_config()
    rate = config["learning_rate"]
    options = {
        k: v
        for k, v in config.items()
        if k not in _LEFT_OUT and v not in (None, False, 0) and (k != "ema_momentum" or config.get("use_ema"))
    }
    return {
        "batch_size": recipe.batch_size,
        "losses": {head.output: head.loss for head in heads if head.loss},
        "optimizer": {"name": type(optimizer).__name__, **_plain(options)},
        "learning_rate": _schedule(rate),
        "clipping": {name: float(config[name]) for name in _CLIPPING if config.get(name)},
        "regularizers": _regularizers(model),
        "dropout": {layer.name: float(layer.rate) for layer in layers(model) if _is(layer, "Dropout") and layer.rate},
        "normalization": [layer.name for layer in layers(model) if "Normalization" in type(layer).__name__],
        "augmentation": _first_sentence(recipe),
    }


def layers(model: Any) -> list[Any]:
    """All layers of a model, those inside others too, each once."""
    return list(model._flatten_layers(include_self=False, recursive=True))


def _is(layer: Any, kind: str) -> bool:
    return type(layer).__name__.endswith(kind)


def _schedule(rate: Any) -> dict[str, Any]:
    if isinstance(rate, dict):
        config = {k: v for k, v in rate["config"].items() if k != "name" and v is not None}
        return {"schedule": rate["class_name"], **_plain(config)}
    return {"schedule": "constant", **_plain({"learning_rate": float(rate)})}


def _regularizers(model: Any) -> dict[str, str]:
    """What is added to the loss for which weights, as "L2(0.0001)" by the weights' path."""
    found = {}
    for variable in model.trainable_variables:
        if (regularizer := variable.regularizer) is not None:
            config = {k: v for k, v in regularizer.get_config().items() if isinstance(v, int | float) and v}
            values = ", ".join(f"{v:g}" if len(config) == 1 else f"{k}={v:g}" for k, v in config.items())
            found[str(variable.path)] = f"{type(regularizer).__name__}({values})"
    return found


def _first_sentence(recipe: Recipe) -> str:
    """What augment() does, in its author's words; "" without one."""
    if not recipe.augments:
        return ""
    lines = (recipe.module.augment.__doc__ or "").strip().splitlines()
    return lines[0].strip() if lines else "augment(), not described"


def _plain(value: Any) -> Any:
    """The value as JSON takes it, floats without the noise of float32."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(f"{float(value):.7g}")
    return number if math.isfinite(number) else str(number)
