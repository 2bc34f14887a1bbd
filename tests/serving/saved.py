"""TensorFlow Serving's half_plus_two, re-made as a SavedModel with all its signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

X = "x"


def half_plus_two(directory: Path) -> None:
    """Signatures for predict, classify and regress on examples with a float feature `x`; y = x / 2 + 2, y2 = + 3."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "tf_example")
        parsed = v1.io.parse_example(examples, {X: tf.io.FixedLenFeature([1], tf.float32)})
        x = tf.identity(parsed[X], "x")
        half = v1.get_variable("half", initializer=0.5)
        y, y2 = tf.add(x * half, 2.0, "y"), tf.add(x * half, 3.0, "y2")
        plain = v1.placeholder(tf.float32, [None], "plain")
        answer = tf.add(plain * half, 2.0, "answer")
        names = v1.placeholder_with_default(tf.constant(["low", "high"]), [2], "names")
        labels = tf.tile(names[None], [tf.shape(y)[0], 1])
        scores = tf.concat([y, y2], 1)
        session.run(v1.global_variables_initializer())

        def signature(method: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
            info = v1.saved_model.utils.build_tensor_info
            return v1.saved_model.build_signature_def(
                {k: info(v) for k, v in inputs.items()},
                {k: info(v) for k, v in outputs.items()},
                f"tensorflow/serving/{method}",
            )

        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": signature("predict", {X: plain}, {"y": answer}),
                "regress_x_to_y": signature("regress", {"inputs": examples}, {"outputs": y}),
                "regress_x_to_y2": signature("regress", {"inputs": examples}, {"outputs": y2}),
                "classify_x_to_y": signature("classify", {"inputs": examples}, {"scores": y}),
                "classify_named": signature("classify", {"inputs": examples}, {"classes": labels, "scores": scores}),
                "regress_wide": signature("regress", {"inputs": examples}, {"outputs": scores}),
                "regress_parsed": signature("regress", {"inputs": x}, {"outputs": y}),
            },
        )
        builder.save()
