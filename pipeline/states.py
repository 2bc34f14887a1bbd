"""State that layers keep between calls, made explicit: a model's state goes in as inputs and comes out as outputs.

Nothing that a format can hold has variables that a call changes, so a stateful recurrent layer's states become
inputs `<layer>_state_<n>` and outputs `<layer>_state_<n>_next`: the caller feeds back what it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ModelError
from pipeline.invocation import Invocation
from pipeline.signature import TensorSpec
from pipeline.steps import open_steps

NEXT = "_next"


@dataclass(frozen=True, eq=False)
class State:
    """One variable that a call changes.

    Attributes:
        spec: of its input; any batch, as a state holds a row per sample.
        variable: Keras' own.
    """

    spec: TensorSpec
    variable: Any


def states_of(model: Any) -> tuple[State, ...]:
    """The states of a model's stateful recurrent layers, in the order of its layers."""
    from keras import tree

    found: dict[int, State] = {}
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            for index, variable in enumerate(tree.flatten(getattr(layer, "states", None) or [])):
                spec = TensorSpec(f"{layer.name}_state_{index}", variable.dtype, (None, *variable.shape[1:]))
                found.setdefault(id(variable), State(spec, variable))
    return tuple(found.values())


def call(model: Any, invocation: Invocation, states: Sequence[State], flat: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Call a model in inference mode, without touching its variables.

    Args:
        flat: its inputs in flat order, then the states.

    Returns:
        What the model answers, and the states after it.

    Raises:
        ModelError: the call changes a variable that is neither a state nor a random seed.
    """
    from keras import StatelessScope

    inputs, values = flat[: len(flat) - len(states)], flat[len(flat) - len(states) :]
    scope = StatelessScope()
    # Not by the constructor, which wants the variable's own batch.
    scope.state_mapping.update({id(s.variable): value for s, value in zip(states, values, strict=True)})
    with scope, open_steps():
        outputs = invocation.call(model, inputs)
    known = {id(s.variable) for s in states}
    for variable in model.variables:
        if id(variable) in scope.state_mapping and id(variable) not in known and not _is_seed(variable):
            raise ModelError(
                f"The model '{model.name}' changes its variable '{variable.path}' in inference.",
                "Take the value as an input, and return the new one as an output.",
            )
    return outputs, [scope.get_current_value(s.variable) for s in states]


def _is_seed(variable: Any) -> bool:
    """A random seed, which only draws of random numbers read: those are refused for themselves."""
    return bool(variable.path.rpartition("/")[2] == "seed_generator_state")
