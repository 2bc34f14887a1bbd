"""By which means a model was trained, in words."""

from __future__ import annotations

from typing import Any


def describe(receipt: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, how) of the training's means, in words."""
    given = receipt.get("means")
    if not given:
        return []
    optimizer = {k: v for k, v in given["optimizer"].items() if k != "name"}
    rate = {k: v for k, v in given["learning_rate"].items() if k != "schedule"}
    rows = [
        ("optimizer", f"{given['optimizer']['name']}{_options(optimizer)}"),
        ("learning rate", f"{given['learning_rate']['schedule']}{_options(rate)}"),
        ("batch size", str(given["batch_size"])),
        ("loss", ", ".join(f"{name}: {loss}" for name, loss in given["losses"].items())),
        ("clipping", ", ".join(f"{name} {value:g}" for name, value in given["clipping"].items())),
        ("regularizers", ", ".join(f"{name}: {value}" for name, value in given["regularizers"].items())),
        ("dropout", ", ".join(f"{name} {value:g}" for name, value in given["dropout"].items())),
        ("normalization", ", ".join(given["normalization"])),
        ("augmentation", given["augmentation"]),
        ("workers", _workers(receipt.get("workers"))),
    ]
    return [(what, how) for what, how in rows if how]


def _workers(team: dict[str, Any] | None) -> str:
    if team is None:
        return ""
    resumed = team["resumed_after_epoch"]
    again = f", the last time from the backup of epoch {resumed}" if resumed else ""
    return f"{team['count']} by tf.distribute.{team['strategy']}{again}"


def _options(options: dict[str, Any]) -> str:
    shown = ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items())
    return f" ({shown})" if shown else ""
