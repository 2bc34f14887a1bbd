"""Typed errors: each says what is wrong, where, and how to fix it, and carries the process exit code."""

from __future__ import annotations

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


class LegalizationError(ModelError):
    """A target cannot express part of the captured graph.

    Args:
        op: the TensorFlow operation type.
        layer: path of the Keras layer that made it.
        target: the format that lacks it.
        reason: why there is no exact equivalent.
        advice: what the user can do.
    """

    def __init__(self, op: str, layer: str, target: str, reason: str, advice: str) -> None:
        super().__init__(f"{target} cannot express {op} in layer '{layer}': {reason}.", advice)
        self.op = op
        self.layer = layer
        self.target = target
        self.reason = reason
        self.advice = advice


class EnvironmentFault(IsomerError):
    """This machine lacks something: a package, a browser, disk space, a permission."""

    exit_code = EXIT_ENVIRONMENT


class RuntimeUnavailable(EnvironmentFault):
    """A runtime cannot start here; its cells become NOT_RUN with this reason."""


class RuntimeCrash(IsomerError):
    """A runtime raised, died or hung while running an artifact; its cell becomes FAIL with these words."""

    exit_code = EXIT_PARITY


def first_line(error: BaseException, limit: int = 300) -> str:
    """The beginning of an exception's text without its full stop, or its type where it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:limit].rstrip(". ")
