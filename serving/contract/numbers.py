"""Numbers as text, digit for digit as TensorFlow Serving writes them."""

from __future__ import annotations

from array import array

import numpy as np

_TOKENS = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def decimals(values: np.ndarray) -> list[str]:
    """Floats as six digits where that reads back to the same float, else as 9 (float32) or 17 (float64) digits;
    always with a point or an exponent, so that readers never take them for integers.

    Args:
        values: one-dimensional; float16, float32 or float64.
    """
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    single = values.dtype == np.float32
    numbers = values.tolist()
    texts = ("%g " * len(numbers) % tuple(numbers)).split()
    # An array rounds to float32 as reading the text back does; for a few values it is faster than NumPy.
    read = array("f", map(float, texts)).tolist() if single else list(map(float, texts))
    full = "%.9g" if single else "%.17g"
    texts = [t if r == n else full % n for t, r, n in zip(texts, read, numbers, strict=True)]
    return [t if "." in t or "e" in t else _TOKENS.get(t, t + ".0") for t in texts]


def double(value: float) -> str:
    """A float64 as RapidJSON writes it inside an echoed document: the fewest digits that read back the same."""
    if value != value or value in (float("inf"), float("-inf")):
        return _TOKENS[str(value)]
    mantissa, _, exponent = f"{value!r}".partition("e")
    if exponent:
        # Python turns to exponents at 1e16 and below 1e-4, RapidJSON at 1e21 and below 1e-6.
        power = int(exponent)
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        digits = digits.replace(".", "").rstrip("0") or "0"
        if 0 <= power < 21:
            return f"{sign}{digits.ljust(power + 1, '0')}.0"
        if -6 <= power < 0:
            return f"{sign}0.{'0' * (-power - 1)}{digits}"
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{power}"
    return mantissa
