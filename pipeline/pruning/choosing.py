"""Which channels do least for what comes after them, and how many go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.pruning.channels import Group

IDLE = 1e-4  # of a fair share: a channel that contributes less does nothing
LEAST = 4  # channels that stay in every group, or all if it has fewer


def contributions(model: Any, groups: Sequence[Group], samples: np.ndarray) -> list[np.ndarray]:
    """Each channel's share [channels] in what its readers receive: mean activation times the weights it meets.

    That is near zero for a unit that is never active as for one whose weights nobody looks at. (Importance as mean
    activation times outgoing weight: a first-order estimate after Molchanov et al., 2017.)
    """
    import keras

    entries = {id(reader.layer): reader.layer.input for group in groups for reader in group.readers}
    watched = keras.Model(model.inputs[0], {str(key): tensor for key, tensor in entries.items()})
    sums: dict[str, Any] = {}
    for start in range(0, len(samples), 500):
        for key, value in watched(samples[start : start + 500], training=False).items():
            flat = np.abs(np.asarray(value)).reshape(-1, value.shape[-1]).mean(0)
            sums[key] = sums.get(key, 0) + flat
    shares = []
    for group in groups:
        total = np.zeros(group.channels)
        for reader in group.readers:
            kernel = np.asarray(reader.layer.kernel)
            weights = np.sqrt((kernel**2).sum(axis=tuple(i for i in range(kernel.ndim) if i != kernel.ndim - 2)))
            met = sums[str(id(reader.layer))] * weights
            total += met.reshape(reader.copies, group.channels).sum(0)
        shares.append(total / max(float(total.sum()), 1e-30))
    return shares


def choose(groups: Sequence[Group], shares: Sequence[np.ndarray], parameters: int, remove: float) -> list[np.ndarray]:
    """Indices of the channels that stay, ascending, per group.

    Idle channels go in any case; then, one by one, the channel that contributes least per weight that it costs, until
    the share `remove` of all parameters is gone.

    Args:
        parameters: of the whole model.
        remove: 0 to 1.
    """
    left = [np.ones(group.channels, bool) for group in groups]
    least = [min(LEAST, group.channels) for group in groups]
    target = parameters * (1 - remove)
    for share, mask in zip(shares, left, strict=True):
        idle = np.flatnonzero(share < IDLE / len(share))
        mask[idle[: max(0, len(share) - LEAST)]] = False
    now = parameters - _saved(groups, left)
    while now > target:
        options = []
        for k, group in enumerate(groups):
            if left[k].sum() > least[k]:
                channel = int(np.argmin(np.where(left[k], shares[k], np.inf)))
                options.append((float(shares[k][channel]) / _cost(group, groups, left), k, channel))
        if not options:
            break
        _, k, channel = min(options)
        left[k][channel] = False
        now = parameters - _saved(groups, left)
    return [np.flatnonzero(mask) for mask in left]


def _cost(group: Group, groups: Sequence[Group], left: Sequence[np.ndarray]) -> int:
    """Weights that one channel of a group has now, its own and its readers'."""
    widths = {id(g.layer): int(mask.sum()) for g, mask in zip(groups, left, strict=True)}
    inputs = {
        id(r.layer): (r.copies * int(mask.sum())) for g, mask in zip(groups, left, strict=True) for r in g.readers
    }
    kernel = group.layer.kernel.shape
    own = int(np.prod(kernel[:-2], dtype=int)) * inputs.get(id(group.layer), int(kernel[-2]))
    own += int(group.layer.use_bias) + 4 * len(group.norms)
    for reader in group.readers:
        shape = reader.layer.kernel.shape
        own += reader.copies * int(np.prod(shape[:-2], dtype=int)) * widths.get(id(reader.layer), int(shape[-1]))
    return own


def _saved(groups: Sequence[Group], left: Sequence[np.ndarray]) -> int:
    """Parameters that are gone with the channels that are."""
    widths = {id(g.layer): int(mask.sum()) for g, mask in zip(groups, left, strict=True)}
    inputs = {id(r.layer): r.copies * int(mask.sum()) for g, mask in zip(groups, left, strict=True) for r in g.readers}
    saved, seen = 0, set()
    for group in groups:
        gone = group.channels - widths[id(group.layer)]
        saved += gone * (int(group.layer.use_bias) + sum(len(norm.weights) for norm in group.norms))
        for layer in (group.layer, *(reader.layer for reader in group.readers)):
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            shape = layer.kernel.shape
            window, before, after = int(np.prod(shape[:-2], dtype=int)), int(shape[-2]), int(shape[-1])
            saved += window * (before * after - inputs.get(id(layer), before) * widths.get(id(layer), after))
    return saved
