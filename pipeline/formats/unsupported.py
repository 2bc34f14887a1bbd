"""What a converter's refusal means to the user: which operation, from which layer, for which format."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import LegalizationError
from pipeline.legalize import Legalized

_ADVICE = "See docs/legalization.md for how a rule is added."


def unsupported(legal: Legalized, operations: Sequence[str], reason: str) -> LegalizationError:
    """The error for a converter's refusal.

    Args:
        legal: what the converter was given.
        operations: TensorFlow operation types that it named; may be empty.
        reason: its own words, or ours.
    """
    from pipeline.legalize.reachable import locate

    fallback = (operations[0] if operations else "an operation", "?")
    op, layer = locate(legal.concrete.graph, operations) or fallback
    return LegalizationError(op, layer, legal.target, reason, _ADVICE)
