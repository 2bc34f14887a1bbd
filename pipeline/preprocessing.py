"""Split a model in front of which text is read: the part that takes strings, and the part that takes numbers.

No format but SavedModel has the string operations of a TextVectorization. The front stays a SavedModel,
`preprocessing/` in the bundle; the core goes to every format, and is judged on what the front makes of real rows. That
the two in a row are the whole model is a check of its own (`chain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.capture import Capture, capture
from pipeline.cells import Status
from pipeline.errors import ModelError
from pipeline.formats import savedmodel
from pipeline.invocation import Invocation
from pipeline.parity import oracle
from pipeline.parity.contract import Check
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Judged, Tensors
from pipeline.parity.verdict import judge_outputs
from pipeline.signature import DEFAULT_SIGNATURE, TensorSpec, unique_names
from pipeline.text import as_text

DIRECTORY = "preprocessing"


@dataclass(frozen=True, eq=False)
class Split:
    """Two models that are one in a row.

    Attributes:
        whole, front: captures of the model, and of its part from strings to numbers.
        core: the part behind it, a `keras.Model`.
        invocation: how the core is called: the front's outputs by name, and the other inputs of the whole.
    """

    whole: Capture
    front: Capture
    core: Any
    invocation: Invocation

    def feed(self, tensors: Tensors) -> Tensors:
        """The core's inputs for the whole's."""
        made = oracle.run_reference(self.front, {t.name: tensors[t.name] for t in self.front.signature.inputs})
        return {t.name: made[t.name] if t.name in made else tensors[t.name] for t in self.invocation.specs}

    def judged(self, raw: Judged) -> Judged:
        """The rows that the core is judged on."""
        origin = f"{raw.origin}, through the preprocessing"
        return Judged(self.feed(raw.tensors), raw.regular, raw.labels, origin, raw.awkward)

    def to_json(self) -> dict[str, Any]:
        """What the certificate says of it."""
        return {"path": DIRECTORY, "signature": self.front.signature.to_json()}


def split(model: Any) -> Split:
    """Cut a model where its strings have become numbers.

    Raises:
        ModelError: it is no graph of layers, or no input of it is a string, or strings reach an output.
    """
    import keras

    functional = getattr(model, "_functional", None) or model
    if getattr(functional, "_inputs_struct", None) is None:
        raise ModelError(
            f"The model '{model.name}' is subclassed: isomer cannot see where its text ends.",
            "Make two models of it, or a Functional one.",
        )
    texts = [t for t in functional.inputs if t.dtype == "string"]
    others = [t for t in functional.inputs if t.dtype != "string"]
    if not texts:
        raise ModelError(f"The model '{model.name}' takes no strings: there is nothing to split.", "Leave out --split.")
    border = _border(functional, texts)
    if any(t.dtype == "string" for t in functional.outputs):
        raise ModelError(
            f"The model '{model.name}' answers in strings.", "Answer in numbers, and look words up behind it."
        )
    names = unique_names([*(t._keras_history.operation.name for t in border), *(t.name for t in others)])
    front = keras.Model(texts, dict(zip(names, border, strict=False)), name=f"{model.name}_{DIRECTORY}")
    inputs = [*border, *others]
    core = keras.Model(inputs, functional._outputs_struct, name=model.name)
    specs = [TensorSpec(n, t.dtype, (None, *t.shape[1:])) for n, t in zip(names, inputs, strict=True)]
    return Split(capture(model), capture(front), core, Invocation(specs))


def write(parts: Split, root: Path) -> None:
    """Write the front as a SavedModel into the bundle under construction."""
    (root / DIRECTORY).mkdir()
    savedmodel.write(parts.front, root / DIRECTORY, "float32")


def check(parts: Split, root: Path, raw: Judged, evidence: Evidence) -> list[Check]:
    """The written front gives what Keras gives, and front and core in a row are the whole."""
    return [_check_front(parts, root, raw), _check_chain(parts, raw, evidence)]


def _check_front(parts: Split, root: Path, raw: Judged) -> Check:
    import tensorflow as tf

    serve = tf.saved_model.load(str(root / DIRECTORY)).signatures[DEFAULT_SIGNATURE]
    specs = parts.front.signature.inputs
    answers = serve(**{t.name: tf.constant(raw.tensors[t.name]) for t in specs})
    expected = parts.feed(raw.tensors)
    wrong = [n for n, v in answers.items() if not np.array_equal(as_text(np.asarray(v)), expected[n])]
    reason = f"its outputs {', '.join(wrong)} differ from the model's" if wrong else ""
    return Check(DIRECTORY, "savedmodel", Status.FAIL if wrong else Status.PASS, reason, {"rows": raw.rows})


def _check_chain(parts: Split, raw: Judged, evidence: Evidence) -> Check:
    whole = oracle.run_reference(parts.whole, raw.tensors)
    found = judge_outputs(whole, evidence.exact, evidence.reference, evidence.budgets)
    reason = "" if found.status is Status.PASS else f"preprocessing and core in a row are not the model: {found.reason}"
    return Check("chain", parts.core.name, found.status, reason, {"rows": raw.rows})


def _border(functional: Any, texts: Sequence[Any]) -> list[Any]:
    """The first tensors on the way from the strings that are none, in the order of the layers."""
    strings, border = {id(t) for t in texts}, {}
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            if node.is_input or not any(id(t) in strings for t in node.input_tensors):
                continue
            for tensor in node.outputs:
                if tensor.dtype == "string":
                    strings.add(id(tensor))
                else:
                    border[id(tensor)] = tensor
    return list(border.values())
