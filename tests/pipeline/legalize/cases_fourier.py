"""Fourier transforms of short, long, prime and open lengths."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from rule_cases import Case, function


def both(z: Any) -> Any:
    return tf.stack([tf.math.real(z), tf.math.imag(z)], -1)


def complex_of(call: Any, *shape: int | None) -> Any:
    return function(lambda a, b: call(tf.complex(a, b)), shape, shape)


CASES: tuple[Case, ...] = (
    Case("complex_transform", "prime", complex_of(lambda z: both(tf.signal.fft(z)), 2, 7)),
    Case("complex_transform", "inverse", complex_of(lambda z: both(tf.signal.ifft(z)), 12)),
    Case("complex_transform", "split twice", complex_of(lambda z: both(tf.signal.fft(z)), 1536), ulp=16, run=False),
    Case("complex_transform", "split", complex_of(lambda z: both(tf.signal.ifft(z)), 150)),
    Case("complex_transform", "plane", complex_of(lambda z: both(tf.signal.fft2d(z)), 3, 5)),
    Case("complex_transform", "inverse of space", complex_of(lambda z: both(tf.signal.ifft3d(z)), 2, 3, 4)),
    Case(
        "complex_transform",
        "real plane of any length",
        function(lambda x: tf.math.real(tf.signal.fft2d(tf.cast(x, tf.complex64))), (None, 6)),
    ),
    Case("complex_transform", "inverse of any length", complex_of(lambda z: both(tf.signal.ifft(z)), 2, None)),
    Case("real_transform", "odd", function(lambda x: both(tf.signal.rfft(x)), (2, 9))),
    Case("real_transform", "padded", function(lambda x: both(tf.signal.rfft(x, [16])), (9,))),
    Case("real_transform", "cut", function(lambda x: both(tf.signal.rfft(x, [5])), (9,))),
    Case("real_transform", "split", function(lambda x: both(tf.signal.rfft(x)), (256,))),
    Case("real_transform", "plane", function(lambda x: both(tf.signal.rfft2d(x)), (5, 6))),
    Case("real_transform", "frames", function(lambda x: both(tf.signal.stft(x, 16, 8)), (40,)), ulp=16),
    Case("real_transform", "any length, fitted", function(lambda x: both(tf.signal.rfft(x, [8])), (None,))),
    Case("real_transform", "any length", function(lambda x: both(tf.signal.rfft(x)), (2, None)), ulp=16),
    Case("inverse_real_transform", "any length", complex_of(tf.signal.irfft, 2, None), ulp=16),
    Case("inverse_real_transform", "any length, fitted", complex_of(lambda z: tf.signal.irfft(z, [7]), None)),
    Case("inverse_real_transform", "even", complex_of(tf.signal.irfft, 5)),
    Case("inverse_real_transform", "odd", complex_of(lambda z: tf.signal.irfft(z, [9]), 5)),
    Case("inverse_real_transform", "padded", complex_of(lambda z: tf.signal.irfft(z, [12]), 5)),
    Case("inverse_real_transform", "plane", complex_of(tf.signal.irfft2d, 4, 5)),
)
