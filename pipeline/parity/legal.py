"""Synthetic inputs that the model itself accepts: what its layers do not say is found by trying."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.capture import Capture
from pipeline.errors import ModelError, first_line
from pipeline.parity import cost, oracle
from pipeline.parity.domains import Domain, domains_of
from pipeline.parity.emptiness import reduces_nothing
from pipeline.parity.inputs import Judged, Tensors
from pipeline.parity.synthetic import ROWS, SIZE, synthetic
from pipeline.signature import TensorSpec

# For dynamic dimensions: convolutions and pools want some size, positions allow no more than they know.
_SIZES = (SIZE, 32, 64, 128, 8, 4, 2, 1, 256)
_IMAGE_SIZES = (32, 64, 128, 256, 16, 8)
_TRIED = 2
_OTHER_ROWS = 6
_BOLD_ROWS = 32


def invent(captured: Capture, model: Any, seed: int) -> Judged:
    """Seeded rows of legal values and sizes.

    Raises:
        ModelError: TensorFlow itself fails on all that was tried.
    """
    domains = domains_of(captured, model)
    if bold := _boldly(captured, domains, seed):
        domains = bold
    problem: Exception | None = None
    poor: tuple[dict[str, Domain], int] | None = None
    for guess in (domains, {name: _careful(domain) for name, domain in domains.items()}):
        for size in _sizes(captured):
            few = synthetic(captured.signature, guess, seed, size, _TRIED)
            try:
                answers = oracle.run_reference(captured, few.tensors)
                says_something = _says_something(captured, few, answers)
            except _failures() as error:
                problem = problem or error
                continue
            if says_something:
                found = synthetic(captured.signature, guess, seed, size, cost.rows(captured, size, ROWS))
                return replace(found, others=_others(captured, guess, seed, size))
            poor = poor or ((guess, size) if all(value.size for value in answers.values()) else None)
    if poor is not None:
        return synthetic(captured.signature, poor[0], seed, poor[1], cost.rows(captured, poor[1], ROWS))
    why = f": {first_line(problem)}" if problem else ": an output is empty"
    raise ModelError(
        f"The model fails in TensorFlow on all synthetic inputs that were tried{why}.",
        "Give real inputs by name in an .npz file with --data.",
    )


def _others(captured: Capture, guess: dict[str, Domain], seed: int, size: int) -> tuple[Judged, ...]:
    """A few rows each of a smaller and a larger size, where the model takes them."""
    if not any(None in t.shape[1:] for t in captured.signature.inputs):
        return ()
    found = []
    for tries in ((size // 2, size - 1, size // 4), (size + 3, size * 3 // 2, size * 2)):
        for other in (n for n in tries if n > 0):
            rows = synthetic(captured.signature, guess, seed, other, _OTHER_ROWS)
            try:
                if _says_something(captured, rows, oracle.run_reference(captured, rows.tensors)):
                    found.append(rows)
                    break
            except _failures():
                continue
    return tuple(found)


def _boldly(captured: Capture, domains: dict[str, Domain], seed: int) -> dict[str, Domain]:
    """Numbers of both signs, beyond one, for what is no image, where every output stays finite; else nothing.

    From 0 to 1 nothing is rounded, clipped or negative; but a logarithm or a root wants just that.
    """
    wide = {t.name for t in captured.signature.inputs if _is_free(domains[t.name], t)}
    if not wide:
        return {}
    guess = {n: replace(d, low=-2.0, high=2.0) if n in wide else d for n, d in domains.items()}
    try:
        answers = oracle.run_reference(
            captured, synthetic(captured.signature, guess, seed, _sizes(captured)[0], _BOLD_ROWS).tensors
        )
    except _failures():
        return {}
    floats = [value for value in answers.values() if value.dtype.kind == "f"]
    return guess if all(value.size and np.isfinite(value).all() for value in floats) else {}


def _is_free(domain: Domain, spec: TensorSpec) -> bool:
    """Whether nothing is known of an input of floats, and it does not look like an image."""
    image = len(spec.shape) >= 4 and spec.shape[-1] in (1, 3, 4)
    return spec.dtype.startswith("float") and domain == Domain() and not image


def _failures() -> tuple[type[Exception], ...]:
    """What TensorFlow raises when a value or a size is not to an operation's liking."""
    import tensorflow as tf

    return (tf.errors.OpError, ValueError)


def _says_something(captured: Capture, judged: Judged, answers: Tensors) -> bool:
    """Whether there is a number in every output: the mean of nothing is none, nor is its maximum."""
    if not all(value.size and (value.dtype.kind != "f" or np.isfinite(value).any()) for value in answers.values()):
        return False
    return not any(None in t.shape[1:] for t in captured.signature.inputs) or not reduces_nothing(
        captured, judged.tensors
    )


def _sizes(captured: Capture) -> tuple[int, ...]:
    """Sizes to try for the dynamic dimensions; one of them where there are none."""
    dynamic = [t for t in captured.signature.inputs if None in t.shape[1:]]
    if not dynamic:
        return (SIZE,)
    return _IMAGE_SIZES if any(len(t.shape) >= 4 for t in dynamic) else _SIZES


def _careful(domain: Domain) -> Domain:
    """Zeros and ones, where the model says nothing of an input's whole numbers."""
    return replace(domain, high=1.0) if domain.integral and not domain.known else domain
