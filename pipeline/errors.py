"""Typed errors: each says what is wrong, where, and how to fix it, and carries the process exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EXIT_PASS = 0
EXIT_PARITY = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3


class IsomerError(Exception):
    """Base of every error a user may see.

    Args:
        what: one sentence, what is wrong and where.
        fix: one sentence, what to do about it.
    """

    exit_code = EXIT_USAGE

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}".strip()


class UsageError(IsomerError):
    """The request or its input is at fault: a missing file, a corrupt model, an unknown recipe."""


class ModelError(UsageError):
    """The model cannot be loaded, traced or captured."""


class DatasetError(UsageError):
    """A dataset is missing, malformed or not the one that it claims to be."""


class BundleError(UsageError):
    """A bundle is incomplete, changed or of an unknown schema."""


@dataclass(frozen=True)
class Obstacle:
    """One operation that a target cannot express.

    Attributes:
        op: the TensorFlow operation type; empty where a converter refuses without naming one.
        layers: paths of the Keras layers that made it ("encoder/attention"); empty where nobody knows.
        reason: why there is no exact equivalent.
        advice: what the user can do.
    """

    op: str
    layers: tuple[str, ...]
    reason: str
    advice: str = ""

    @property
    def subject(self) -> str:
        """The operation and where it is, in words."""
        name = self.op or "the model"
        if not self.layers:
            return name
        shown = ", ".join(f"'{layer}'" for layer in self.layers[:_SHOWN])
        more = f" and {len(self.layers) - _SHOWN} more" if len(self.layers) > _SHOWN else ""
        return f"{name} in layer{'s' if len(self.layers) > 1 else ''} {shown}{more}"

    def to_json(self) -> dict[str, Any]:
        return {"op": self.op, "layers": list(self.layers), "reason": self.reason, "advice": self.advice}


_SHOWN = 3


class LegalizationError(ModelError):
    """A target cannot express part of the captured graph.

    Args:
        op: the TensorFlow operation type.
        layer: path of the Keras layer that made it.
        target: the format that lacks it.
        reason: why there is no exact equivalent.
        advice: what the user can do.

    Attributes:
        obstacles: all that is known to be in the way; the arguments are the first of them.
    """

    def __init__(self, op: str, layer: str, target: str, reason: str, advice: str) -> None:
        self._set(target, (Obstacle(op, (layer,) if layer else (), reason, advice),))

    @classmethod
    def of(cls, target: str, obstacles: Sequence[Obstacle]) -> LegalizationError:
        """The error for several operations at once."""
        error = cls.__new__(cls)
        error._set(target, tuple(obstacles))
        return error

    def _set(self, target: str, obstacles: tuple[Obstacle, ...]) -> None:
        what = f"{target} cannot express {describe(obstacles)}"
        super().__init__(what, " ".join(dict.fromkeys(o.advice for o in obstacles if o.advice)))
        first = obstacles[0]
        self.target, self.obstacles = target, obstacles
        self.op, self.reason, self.advice = first.op, first.reason, first.advice
        self.layer = first.layers[0] if first.layers else ""


def describe(obstacles: Sequence[Obstacle]) -> str:
    """What is in the way, those with the same reason together: "A in layer 'x', B in layer 'y': reason."."""
    groups: dict[str, list[str]] = {}
    for obstacle in obstacles:
        groups.setdefault(obstacle.reason.rstrip(". "), []).append(obstacle.subject)
    return " ".join(f"{', '.join(subjects)}: {reason}." for reason, subjects in groups.items())


class EnvironmentFault(IsomerError):
    """This machine lacks something: a package, a browser, disk space, a permission."""

    exit_code = EXIT_ENVIRONMENT


class RuntimeUnavailable(EnvironmentFault):
    """A runtime cannot start here; its cells become NOT_RUN with this reason."""


class RuntimeUnsupported(IsomerError):
    """A runtime says that it does not do what a model needs on a device; its cell becomes UNSUPPORTED."""

    exit_code = EXIT_PARITY


class RuntimeCrash(IsomerError):
    """A runtime raised, died or hung while running an artifact; its cell becomes FAIL with these words."""

    exit_code = EXIT_PARITY


class RuntimeTimeout(RuntimeCrash):
    """A runtime gave no answer in time: it hangs, or it is slow."""


def first_line(error: BaseException, limit: int = 300) -> str:
    """The beginning of an exception's text without its full stop, or its type where it has no text.

    Keras begins with which call failed, AutoGraph with a list of calls; what went wrong comes later, and first here.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    if lines[0] == "in user code:":  # AutoGraph begins with its own account of the calls
        lines = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)][-1:] or lines
    where = re.fullmatch(r"Exception encountered when calling (.+?)\.?", lines[0])
    if where is not None and len(lines) > 1:
        return f"{lines[1][:limit].rstrip('. ')} (in {where[1]})"
    return lines[0][:limit].rstrip(". ")
