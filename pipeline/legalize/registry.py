"""The rules, each a function with a name, the targets that need it, and why it may be applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

TFLITE, ONNX, TFJS, SAVEDMODEL, ORACLE = "tflite", "onnx", "tfjs", "savedmodel", "oracle"
# No format: what TensorFlow runs on a CPU, adding one number after the other, for the budgets of awkward rows.
SEQUENTIAL = "sequential"
# The same with loops written out step by step: ranges in whole numbers are fixed per operation, not per step.
UNROLLED = "unrolled"
FORMATS = (TFLITE, ONNX, TFJS)
# A rule for the SavedModel makes up for a kernel that TensorFlow has for GPUs only.
EVERY = (*FORMATS, SAVEDMODEL, ORACLE)

# A rule gets (rewriter, operation of the source graph, its rewritten inputs) and returns the replacement's
# outputs, or None when the operation does not have the form that the rule is about.
Apply = Callable[..., Any]


@dataclass(frozen=True)
class Rule:
    """One rewrite.

    Attributes:
        name: as it is counted in an artifact's `rewrites`.
        family: the module that it lives in.
        ops: TensorFlow operation types that it looks at.
        targets: those that need it.
        why: one sentence, why it is exact or which bound it keeps.
        structural: it removes bookkeeping and changes no number; it is not counted.
        stand_in: class of the Python objects that it works on; such a rule, and a structural one, is the only kind
            that sees them.
        first: it is asked before the rules of other families.
    """

    name: str
    family: str
    ops: tuple[str, ...]
    targets: tuple[str, ...]
    why: str
    apply: Apply
    structural: bool = False
    stand_in: type | None = None
    first: bool = False


_RULES: list[Rule] = []


def rule(
    *ops: str,
    targets: Sequence[str],
    why: str,
    structural: bool = False,
    stand_in: type | None = None,
    first: bool = False,
) -> Callable[[Apply], Apply]:
    """Register a function as the rule for some operation types. Later registrations are tried later."""

    def register(apply: Apply) -> Apply:
        family = apply.__module__.rsplit(".", 1)[-1]
        _RULES.append(Rule(apply.__name__, family, ops, tuple(targets), why, apply, structural, stand_in, first))
        return apply

    return register


def all_rules() -> tuple[Rule, ...]:
    """Every rule, by family and then in the order of registration. Imports the rule modules (and TensorFlow)."""
    package = import_module("pipeline.legalize.rules")
    for module in sorted(m.name for m in iter_modules(package.__path__)):
        import_module(f"pipeline.legalize.rules.{module}")
    return tuple(sorted(_RULES, key=lambda r: r.family))


def rules_for(target: str) -> dict[str, list[Rule]]:
    """The rules of one target, by operation type."""
    table: dict[str, list[Rule]] = {}
    # A stand-in meets its own rules before those that expect a tensor.
    for entry in sorted(all_rules(), key=lambda entry: (entry.stand_in is None, not entry.first)):
        also = {SEQUENTIAL: (SAVEDMODEL,), UNROLLED: (SAVEDMODEL, *((TFLITE,) if entry.family == "recurrent" else ()))}
        if {target, *also.get(target, ())} & set(entry.targets):
            for op in entry.ops:
                table.setdefault(op, []).append(entry)
    return table
