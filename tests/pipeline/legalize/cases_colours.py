"""Colours, grey and black among them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from rule_cases import Case, among, between, function

_ANY, _PLAIN = between(0, 1), among(0.0, 0.25, 0.5, 1.0)


def _both(rule: str, call: Any) -> tuple[Case, ...]:
    build = function(call, (4, 5, 3))
    return Case(rule, "any", build, draw=_ANY), Case(rule, "equal channels", build, draw=_PLAIN)


CASES: tuple[Case, ...] = (
    *_both("hue_by_largest", tf.image.rgb_to_hsv),
    *_both("channels_by_hue", tf.image.hsv_to_rgb),
)
