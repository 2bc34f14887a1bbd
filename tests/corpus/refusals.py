"""What a format cannot have, and why: the only cells of the corpus that may be anything but PASS."""

from __future__ import annotations

_EVERY = ("savedmodel", "tflite", "onnx", "tfjs")
_OPEN_RESIZE = (
    "keras.ops.image.resize asks in Python whether its size is positive, so Keras cannot trace an interpolation to an "
    "open size; with a keras.Input of fixed height and width it is taken."
)

_HASH = (
    "The layer hashes the bytes of strings (FarmHash or SipHash; a number as its digits), and the format has no "
    "operation that reads them; --split keeps the layer as a SavedModel in front."
)
_UNBOUNDED = (
    "The layer hashes numbers as text, which the format cannot; with the range of its integers declared "
    "(--input x:int64:?,3:0..50) isomer makes a table of it."
)
_TEXT = (
    "The format has no operations that change the case of strings, replace in them and split them; --split keeps the "
    "layer as a SavedModel in front."
)
_PORTABLE = ("tflite", "onnx", "tfjs")
# TF.js has one string hash of TensorFlow's, the plain one.
_NO_HASH = ("tflite", "onnx")

# By model, then by format.
REFUSALS: dict[str, dict[str, str]] = {
    "layers/StringLookup/two_oov": dict.fromkeys(_NO_HASH, _HASH),
    "layers/Hashing/int": dict.fromkeys(_PORTABLE, _UNBOUNDED),
    "layers/Hashing/one_hot": dict.fromkeys(_PORTABLE, _UNBOUNDED),
    "layers/Hashing/string": dict.fromkeys(_NO_HASH, _HASH),
    "layers/Hashing/salt": dict.fromkeys(_PORTABLE, _HASH),
    "layers/HashedCrossing/plain": dict.fromkeys(_PORTABLE, _HASH),
    "layers/HashedCrossing/one_hot": dict.fromkeys(_PORTABLE, _HASH),
    "layers/TextVectorization/int": dict.fromkeys(_PORTABLE, _TEXT),
    "layers/TextVectorization/multi_hot": dict.fromkeys(_PORTABLE, _TEXT),
    "layers/TextVectorization/whitespace_only": dict.fromkeys(_PORTABLE, _TEXT),
    "layers/TextVectorization/characters": dict.fromkeys(_PORTABLE, _TEXT),
    "layers/UpSampling2D/bilinear_open": dict.fromkeys(_EVERY, _OPEN_RESIZE),
}
