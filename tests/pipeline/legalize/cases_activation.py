"""Activations and special functions."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers
from rule_cases import Case, function, stack

CASES: tuple[Case, ...] = (
    Case("erfc_by_erf", "gelu", stack(lambda r: layers.Activation("gelu"), shape=(6,))),
    Case("erfc_by_erf", "alone", function(tf.math.erfc, (5,))),
    Case("erfc_rational", "alone", function(tf.math.erfc, (5,))),
    Case("erfc_rational", "scaled as in gelu, but not gelu", function(lambda x: tf.math.erfc(x * 0.5**0.5), (5,))),
    Case("erfc_rational", "times another tensor", function(lambda x, y: y * tf.math.erfc(-x * 0.5**0.5), (5,), (5,))),
    Case(
        "erfc_rational",
        "gelu, then relu",
        stack(lambda r: layers.Activation(lambda x: tf.nn.relu(keras.ops.gelu(x, False))), shape=(6,)),
    ),
    Case("erf_rational", "alone", function(tf.math.erf, (4, 5))),
    Case("erf_rational", "saturated", function(lambda x: tf.math.erf(9.0 * x), (5,))),
    Case("softsign_by_definition", "activation", stack(lambda r: layers.Activation("softsign"), shape=(6,))),
)
