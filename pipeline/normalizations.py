"""Normalizations in a graph: what computes a mean, a variance and what is scaled by them; or scales inputs.

The first stay floats where everything else becomes whole numbers. The square of a difference has twice the bits of what
it is made of, and the inverse root of a small variance is a hundred times that of a large one: in 8 bits both are lost
(the vit's accuracy falls from 98.95 % to 97.13 %), and in 16 the kernels' tables are too coarse.

The second do where inputs are floats: years beside dollars in one range of 8 bits leave nothing of the years (the
loan's accuracy falls from 90.3 % to 73.9 %).

The graph may be TensorFlow's, TFLite's or ONNX': operations are told apart by what they do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ROOTS = {"RSQRT", "SQRT"}
_MEANS = {"MEAN", "REDUCEMEAN", "SUM", "REDUCESUM"}
_SUMS = {"ADD", "ADDV2", "MAXIMUM", "MAX"}
_SQUARES = {"SQUAREDDIFFERENCE", "SQUARE"}
_FACTORS = {"MUL", "DIV", "REALDIV", "RECIPROCAL", "NEG"}
_SCALES = {"ADD", "ADDV2", "SUB", "MUL", "DIV", "REALDIV"}
_INPUT = "PLACEHOLDER"  # TensorFlow's; in other formats no operation makes an input


@dataclass(frozen=True)
class Operation:
    """One operation of a graph.

    Attributes:
        name: unique in the graph.
        kind: as the format calls it.
        inputs: names of the values that it reads, without constants.
        outputs: names of the values that it makes.
        by_feature: one of its constants has more than one number.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    by_feature: bool = False

    @property
    def what(self) -> str:
        return self.kind.upper().replace("_", "")


def normalizations(operations: Sequence[Operation], of_inputs: bool = False) -> frozenset[str]:
    """Names of the operations that belong to a normalization whose statistics are those of each input.

    Args:
        of_inputs: also those that shift and scale an input of the model, each feature by constants of its own.
    """
    graph = _Graph(operations)
    found: set[str] = set()
    for root in operations:
        if root.what in _ROOTS and (statistics := graph.behind(root)):
            found |= statistics | {root.name} | graph.scaled(root, statistics)
    if of_inputs:
        found |= graph.scaled_inputs()
    return frozenset(found)


class _Graph:
    def __init__(self, operations: Iterable[Operation]) -> None:
        self._makers: dict[str, Operation] = {}
        self._readers: dict[str, list[Operation]] = {}
        for operation in operations:
            for name in operation.outputs:
                self._makers[name] = operation
            for name in dict.fromkeys(operation.inputs):
                self._readers.setdefault(name, []).append(operation)

    def scaled_inputs(self) -> set[str]:
        """What shifts and scales inputs, feature by feature."""
        found: set[str] = set()
        waiting = deque(name for name in self._readers if self._is_input(name))
        while waiting:
            for reader in self._readers.get(waiting.popleft(), ()):
                if reader.what in _SCALES and reader.by_feature and len(reader.inputs) == 1:
                    found.add(reader.name)
                    waiting += reader.outputs
        return found

    def _is_input(self, name: str) -> bool:
        maker = self._makers.get(name)
        return maker is None or maker.what == _INPUT

    def behind(self, root: Operation) -> set[str]:
        """What a root is taken of: an epsilon is added to a mean, of squares, of differences to a mean."""
        found: set[str] = set()
        waiting = deque((name, False) for name in root.inputs)
        while waiting:
            name, averaged = waiting.popleft()
            maker = self._makers.get(name)
            if maker is None or maker.name in found or not self._is_statistic(maker, averaged):
                continue
            found.add(maker.name)
            waiting += [(source, averaged or maker.what in _MEANS) for source in maker.inputs]
        return found if any(self._makers[n].what in _MEANS for n in self._values(found)) else set()

    def _values(self, names: set[str]) -> list[str]:
        return [value for value, maker in self._makers.items() if maker.name in names]

    def _is_statistic(self, operation: Operation, averaged: bool) -> bool:
        if operation.what in _MEANS:
            return True
        if not averaged:
            return operation.what in _SUMS | {"MUL"} and len(operation.inputs) == 1
        squares = operation.what == "MUL" and len(operation.inputs) == 2 and len(set(operation.inputs)) == 1
        return operation.what in _SQUARES or squares or self._centres(operation)

    def _centres(self, operation: Operation) -> bool:
        """It subtracts a mean."""
        makers = [self._makers.get(name) for name in operation.inputs]
        return operation.what == "SUB" and any(m is not None and m.what in _MEANS for m in makers)

    def scaled(self, root: Operation, statistics: set[str]) -> set[str]:
        """What the inverse root multiplies, up to the sum with which a normalization ends."""
        found: set[str] = set()
        waiting = deque((reader, False) for name in root.outputs for reader in self._readers.get(name, ()))
        while waiting:
            operation, used = waiting.popleft()
            others = [self._makers[n] for n in operation.inputs if n in self._makers]
            inside = [o for o in others if o.name in found | statistics or o.name == root.name]
            if operation.name in found:
                continue
            if operation.what in _FACTORS:
                meets = len(set(operation.inputs)) > 1
                if meets and used and len(inside) < len(set(operation.inputs)):
                    continue  # what is normalized meets something else
                found.add(operation.name)
                found |= {other.name for other in others if self._centres(other)}
                waiting += [(r, used or meets) for name in operation.outputs for r in self._readers.get(name, ())]
            elif operation.what in {"ADD", "ADDV2", "SUB"} and (
                len(operation.inputs) == 1 or len(inside) == len(operation.inputs)
            ):
                found.add(operation.name)
                shift = operation.what == "SUB" and len(operation.inputs) == 1
                if shift:
                    waiting += [(r, True) for name in operation.outputs for r in self._readers.get(name, ())]
        return found
