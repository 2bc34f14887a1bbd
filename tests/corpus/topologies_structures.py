"""Inputs and outputs in every structure and type; layers and models that are shared and nested."""

from __future__ import annotations

import keras
from keras import layers, ops

from corpus.model import topology

Input = keras.Input


def _two_inputs_two_outputs() -> keras.Model:
    a, b = Input((4,), name="a"), Input((3,), name="b")
    h = layers.Concatenate()([a, b])
    return keras.Model(
        [a, b], [layers.Dense(2, name="first")(h), layers.Dense(5, activation="softmax", name="second")(h)]
    )


def _dict_in_dict_out() -> keras.Model:
    inputs = {"image": Input((6, 6, 2), name="image"), "extra": Input((3,), name="extra")}
    h = layers.Concatenate()([layers.Flatten()(inputs["image"]), inputs["extra"]])
    return keras.Model(inputs, {"logits": layers.Dense(4)(h), "value": layers.Dense(1, activation="tanh")(h)})


def _nested_structures() -> keras.Model:
    inputs = {"pair": [Input((4,), name="left"), Input((4,), name="right")], "scale": Input((1,), name="scale")}
    h = layers.Add()(inputs["pair"])
    return keras.Model(
        inputs, {"sum": h, "more": [layers.Dense(2, name="d")(h), layers.Multiply()([h, inputs["scale"]])]}
    )


def _names_against_order() -> keras.Model:
    z, a = Input((3,), name="z"), Input((5,), name="a")
    return keras.Model([z, a], [layers.Dense(2, name="zz")(a), layers.Dense(2, name="aa")(z)])


def _equal_shapes() -> keras.Model:
    x = Input((4,), name="x")
    return keras.Model(x, [layers.Dense(3, name=n)(x) for n in ("c", "a", "b")])


def _passed_through() -> keras.Model:
    x = Input((4,), name="x")
    return keras.Model(x, [x, layers.Dense(3, name="d")(x)])


def _output_twice() -> keras.Model:
    x = Input((4,), name="x")
    y = layers.Dense(3, name="d")(x)
    return keras.Model(x, [y, y])


def _unused_branch() -> keras.Model:
    x, unused = Input((4,), name="x"), Input((2,), name="unused")
    return keras.Model([x, unused], layers.Dense(3)(x))


def _awkward_names() -> keras.Model:
    a, b = Input((4,), name="my-input.1"), Input((4,), name="0start")
    return keras.Model([a, b], [layers.Dense(2, name="out-put.a")(a), layers.Dense(2, name="2nd_out")(b)])


def _scalar_per_row() -> keras.Model:
    x = Input((4,), name="x")
    return keras.Model(x, [ops.sum(x, axis=-1), ops.squeeze(layers.Dense(1)(x), -1)])


def _scalar_input() -> keras.Model:
    x = Input((), name="x")
    return keras.Model(x, layers.Dense(3)(ops.expand_dims(x, -1)))


def _integer_outputs() -> keras.Model:
    x = Input((4, 5), name="x")
    return keras.Model(x, [ops.argmax(x, axis=-1), ops.cast(ops.round(x * 10), "int32"), x > 0.5])


def _integer_sum() -> keras.Model:
    ids = Input((6,), dtype="int32", name="ids")
    return keras.Model(ids, [ops.sum(ids, axis=1), ops.cast(ids, "float32") * 0.5])


def _spatial_reduction() -> keras.Model:
    x = Input((5, 5, 3), name="x")
    y = ops.mean(x, axis=(1, 2), keepdims=True)
    return keras.Model(
        x, ops.concatenate([ops.reshape(ops.var(x, axis=(1, 2)), (-1, 3)), ops.reshape(y, (-1, 3))], axis=-1)
    )


def _shared_layer() -> keras.Model:
    a, b, tower = Input((4,), name="a"), Input((4,), name="b"), layers.Dense(3, activation="relu")
    return keras.Model([a, b], layers.Subtract()([tower(a), tower(b)]))


def _siamese() -> keras.Model:
    encoder = keras.Sequential(
        [Input((6, 6, 1)), layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(4)]
    )
    a, b = Input((6, 6, 1), name="a"), Input((6, 6, 1), name="b")
    return keras.Model([a, b], layers.Dot(1, normalize=True)([encoder(a), encoder(b)]))


def _nested_models() -> keras.Model:
    inner = keras.Sequential([Input((4,)), layers.Dense(4, activation="gelu"), layers.Dropout(0.5)], name="inner")
    middle_in = Input((4,))
    middle = keras.Model(middle_in, layers.Add()([inner(middle_in), middle_in]), name="middle")
    return keras.Sequential([Input((4,)), middle, layers.Dense(2)], name="outer")


MODELS = (
    topology("two_inputs_two_outputs", _two_inputs_two_outputs, fast=True),
    topology("dict_in_dict_out", _dict_in_dict_out, fast=True),
    topology("nested_structures", _nested_structures, fast=True),
    topology("names_against_order", _names_against_order),
    topology("equal_shapes", _equal_shapes, fast=True),
    topology("passed_through", _passed_through, fast=True),
    topology("output_twice", _output_twice, fast=True),
    topology("unused_input", _unused_branch),
    topology("awkward_names", _awkward_names),
    topology("shared_layer", _shared_layer),
    topology("siamese", _siamese),
    topology("nested_models", _nested_models, fast=True),
    topology("scalar_per_row", _scalar_per_row, fast=True),
    topology("scalar_input", _scalar_input),
    topology("integer_outputs", _integer_outputs, fast=True),
    topology("integer_sum", _integer_sum),
    topology("spatial_reduction", _spatial_reduction),
)
