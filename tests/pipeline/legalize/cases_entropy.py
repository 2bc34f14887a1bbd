"""Cross entropies of logits."""

from __future__ import annotations

import tensorflow as tf
from rule_cases import Case, between, function

CASES: tuple[Case, ...] = (
    Case(
        "cross_entropy_by_definition",
        "rows",
        function(lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), x), (6,), (6,)),
        draw=between(-9, 9),
    ),
    Case(
        "class_entropy_by_definition",
        "rows",
        function(
            lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y[:, 0], x),
            (6,),
            (1,),
            dtype=("float32", "int32"),
        ),
        draw=between(0, 5),
    ),
)
