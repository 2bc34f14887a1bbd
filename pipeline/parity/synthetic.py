"""Seeded inputs for a model without a dataset: legal for its layers, and with some structure.

White noise is a poor input: after normalization and pooling a model's outputs hardly vary over such rows, and
agreement would say nothing. Images and sequences are smooth fields with texture, sequences end in padding where the
model masks it, words come from the vocabulary and from outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.parity.domains import Domain
from pipeline.parity.inputs import Judged, with_awkward
from pipeline.signature import Signature, TensorSpec

# Enough for an error's distribution, small enough to keep in the bundle.
ROWS = 256
SIZE = 16
"""Stands in for a dynamic dimension other than the batch."""

# An axis this long is a wave rather than a walk.
_WAVE = 256
_WORDS = ("red", "green", "blue", "seven", "wind", "stone", "river", "a", "the", "of")
# What no vocabulary has, and what is easily mangled on the way through a format.
_STRANGE = ("zyzzyva", "Straße", "naïve", "日本語", "κόσμος", "🙂", "x" * 40, "")


def synthetic(
    signature: Signature, domains: Mapping[str, Domain], seed: int, size: int = SIZE, rows: int = ROWS
) -> Judged:
    """Rows for every input.

    Args:
        domains: legal values by input name; numbers from 0 to 1 where it is not given.
        seed: the same gives the same rows.
        size: of every dynamic dimension other than the batch.
        rows: how many, besides the awkward ones.
    """
    rng = np.random.default_rng(seed)
    # One length per row for all inputs: a mask belongs to its tokens.
    lengths = rng.uniform(0.2, 1.0, rows)
    lengths[::4] = 1.0
    tensors = {t.name: _generate(t, domains.get(t.name, Domain()), lengths, size, rng) for t in signature.inputs}
    return with_awkward(tensors, None, f"{rows} synthetic rows (seed {seed})")


def _generate(spec: TensorSpec, domain: Domain, lengths: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    shape = (len(lengths), *(size if n is None else n for n in spec.shape[1:]))
    if spec.dtype == "string":
        return _strings(shape, domain, rng)
    kind = np.dtype(spec.dtype)
    if domain.mask:
        return _present(shape, lengths).astype(kind)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    if domain.vocabulary:
        values = _numbers_around(shape, domain, rng)
    elif domain.integral or kind.kind in "iu":
        values = rng.integers(int(domain.low), max(int(domain.low), int(domain.high)), shape, endpoint=True)
    elif domain.center is not None and domain.spread is not None and domain.center.size in (1, shape[-1]):
        values = domain.center + domain.spread * np.clip(6 * _field(shape, rng) - 3, -3, 3)
    else:
        values = domain.low + (domain.high - domain.low) * _field(shape, rng)
    if domain.boundaries:
        values = np.where(rng.random(shape) < 0.2, rng.choice(np.asarray(domain.boundaries, np.float32), shape), values)
    if domain.padding is not None and len(shape) > 1:
        present = _present(shape, lengths)
        values = np.where(present, values, domain.padding)
    if spec.range is not None:
        values = np.clip(values, *spec.range)
    return values.astype(kind)


def _field(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Smooth along every axis that is long enough, each row with a contrast and a level of its own; 0 to 1."""
    field = rng.normal(size=shape)
    for axis in range(1, len(shape)):
        if shape[axis] >= _WAVE:
            time = np.linspace(0, 1, shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
            pitch = rng.uniform(4, shape[axis] / 4, (len(field), *[1] * (len(shape) - 1)))
            field = 0.2 * field + np.sin(2 * np.pi * pitch * time * (1 + 0.5 * time))
        elif shape[axis] > 3:
            field = np.cumsum(field, axis=axis) / np.sqrt(shape[axis])
    flat = field.reshape(len(field), -1)
    if flat.shape[1] <= 1:
        return rng.random(shape)
    flat = (flat - flat.min(1, keepdims=True)) / np.maximum(np.ptp(flat, axis=1, keepdims=True), 1e-9)
    gain = rng.uniform(0.2, 1.0, (len(flat), 1))
    return (flat * gain + (1 - gain) * rng.random((len(flat), 1))).reshape(shape)


def _present(shape: tuple[int, ...], lengths: np.ndarray) -> np.ndarray:
    """True up to each row's share of the second axis, for the last axes alike; at least one step."""
    if len(shape) == 1:
        return np.ones(shape, bool)
    steps = np.maximum(1, np.ceil(lengths * shape[1])).astype(int)
    kept = np.arange(shape[1]) < steps[:, None]
    return np.broadcast_to(kept.reshape(*kept.shape, *[1] * (len(shape) - 2)), shape)


def _numbers_around(shape: tuple[int, ...], domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """Numbers of a vocabulary, and a fifth from outside of it where that is legal."""
    known = np.array([int(v) for v in domain.vocabulary])
    values = rng.choice(known, shape)
    if not domain.open:
        return values
    others = rng.integers(known.min() - 5, known.max() + 6, shape)
    return np.where(rng.random(shape) < 0.2, others, values)


def _strings(shape: tuple[int, ...], domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """Words, or texts of several."""
    known = [str(v) for v in domain.vocabulary] or list(_WORDS)

    def word() -> str:
        return str(rng.choice(_STRANGE) if domain.open and rng.random() < 0.2 else rng.choice(known))

    def text() -> str:
        words = [word() for _ in range(rng.integers(1, 12))]
        if rng.random() < 0.5:
            words[0] = words[0].capitalize()
        return " ".join(words) + str(rng.choice(["", ".", "!", " ..."]))

    count = int(np.prod(shape))
    return np.array([text() if domain.text else word() for _ in range(count)], np.str_).reshape(shape)
