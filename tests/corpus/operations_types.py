"""Operations on types other than float32: integers of every size, truth values, complex numbers, casts, strings."""

from __future__ import annotations

import numpy as np
from keras import ops

from corpus.model import Data, Random, Tensors, inside, integers, uniform

_SIGNED = uniform(-3, 3, 4, 5)
_FEW = integers(1, 9, 4, dtype="int32")


def _wide(dtype: str, *shape: int) -> Data:
    """Numbers of all magnitudes that a type has."""

    def draw(random: Random) -> Tensors:
        info = np.iinfo(dtype)
        bits = random.integers(1, info.bits - (info.min < 0), (64, *shape))
        values = np.array([random.integers(0, 2 ** int(b), dtype=np.uint64) for b in bits.ravel()])
        values = values.reshape(bits.shape).astype(dtype)
        return {"x": np.where(random.random(bits.shape) < 0.5, values, -values) if info.min < 0 else values}

    return draw


MODELS = (
    inside(
        "bits",
        lambda x: [ops.bitwise_or(x, 5), ops.bitwise_not(x), ops.bitwise_invert(x), ops.right_shift(x, 1)],
        (4,),
        dtype="int32",
        data=_FEW,
    ),
    inside(
        "shifts",
        lambda x: [ops.bitwise_left_shift(x, 2), ops.bitwise_right_shift(x, 1)],
        (4,),
        dtype="int32",
        data=_FEW,
    ),
    inside(
        "bits_of_int64",
        lambda x: [ops.bitwise_and(x, 255), ops.right_shift(x, 3)],
        (4,),
        dtype="int64",
        data=_wide("int32", 4),
    ),
    *(
        inside(
            f"arithmetic_of_{dtype}",
            lambda x: [
                x + 3,
                x * 2,
                x // 3,
                ops.mod(x, 5),
                ops.maximum(x, 7),
                ops.cast(x, "float32") / 2,
                ops.equal(x, 4),
                x > 6,
            ],
            (4,),
            dtype=dtype,
            data=integers(0, 60, 4, dtype=dtype),
        )
        for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
    ),
    *(
        inside(
            f"moves_of_{dtype}",
            lambda x: [
                x[:, ::-1],
                ops.concatenate([x, x], 1),
                ops.take(x, [2, 0], 1),
                ops.where(x > 20, x, x + 1),
                ops.stack([x, x], 2),
                ops.transpose(x[:, None], (0, 2, 1)),
                ops.repeat(x, 2, 1),
                ops.pad(x, ((0, 0), (1, 1))),
            ],
            (4,),
            dtype=dtype,
            data=integers(0, 60, 4, dtype=dtype),
        )
        for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
    ),
    *(
        inside(
            f"reductions_of_{dtype}",
            lambda x: [
                ops.sum(x, 1),
                ops.max(x, 1),
                ops.min(x, 1),
                ops.prod(x[:, :2], 1),
                ops.cumsum(x, 1),
                ops.argmax(x, 1),
                ops.sort(x),
                ops.any(x, 1),
            ],
            (4,),
            dtype=dtype,
            data=integers(0, 20, 4, dtype=dtype),
        )
        for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
    ),
    inside(
        "large_int64",
        lambda x: [x, x // 7, ops.mod(x, 1000), x * 3],
        (4,),
        dtype="int64",
        data=integers(-(10**8), 10**8, 4),
    ),
    inside(
        "large_uint32",
        lambda x: [ops.mod(x, 1000), x // 3],
        (4,),
        dtype="uint32",
        data=integers(0, 2**31 - 1, 4, dtype="uint32"),
    ),
    inside(
        "matmul_of_integers",
        lambda x: ops.matmul(x, ops.convert_to_tensor(np.arange(12).reshape(4, 3).astype("int32"))),
        (4,),
        dtype="int32",
        data=_FEW,
    ),
    inside(
        "einsum_of_integers",
        lambda x: [ops.einsum("bij,jk->bik", x, ops.ones((4, 3), "int32")), ops.einsum("bij->bj", x)],
        (2, 4),
        dtype="int32",
        data=integers(-9, 9, 2, 4, dtype="int32"),
    ),
    inside("einsum_of_int64", lambda x, y: ops.einsum("bi,bj->bij", x, y), (3,), (4,), dtype="int64"),
    inside(
        "casts",
        lambda x: [ops.cast(x, d) for d in ("int8", "uint8", "int16", "int32", "int64", "bool")],
        (4, 5),
        data=uniform(0, 90, 4, 5),
    ),
    inside(
        "casts_of_negative",
        lambda x: [ops.cast(x, d) for d in ("int8", "int16", "int32", "int64", "bool")],
        (4, 5),
        data=_SIGNED,
    ),
    inside(
        "saturate_cast",
        lambda x: [ops.saturate_cast(x * 100, d) for d in ("uint8", "int8", "int16")],
        (4, 5),
        data=_SIGNED,
    ),
    inside(
        "truth",
        lambda x: [
            ops.logical_and(x, ops.flip(x, 1)),
            ops.any(x, 1),
            ops.all(x, 1),
            ops.cast(x, "float32"),
            ops.where(x, 1.0, 2.0),
            ops.sum(ops.cast(x, "int32"), 1),
            ops.logical_xor(x, True),
        ],
        (4,),
        dtype="bool",
    ),
    inside(
        "moves_of_truth",
        lambda x: [
            x[:, ::-1],
            ops.concatenate([x, x], 1),
            ops.take(x, [2, 0], 1),
            ops.repeat(x, 2, 1),
            ops.pad(x, ((0, 0), (1, 1))),
            ops.reshape(x, (-1, 2, 2)),
            ops.transpose(ops.reshape(x, (-1, 2, 2)), (0, 2, 1)),
            ops.tile(x, (1, 2)),
        ],
        (4,),
        dtype="bool",
    ),
    inside("view_as_complex", lambda x: ops.view_as_real(ops.view_as_complex(x) * ops.view_as_complex(x)), (4, 2)),
    inside(
        "complex_parts",
        lambda x, y: [
            ops.real(ops.view_as_complex(ops.stack([x, y], -1))),
            ops.imag(ops.conj(ops.view_as_complex(ops.stack([x, y], -1)))),
            ops.abs(ops.view_as_complex(ops.stack([x, y], -1))),
        ],
        (4, 5),
        (4, 5),
    ),
    inside("fft2", lambda x, y: list(ops.fft2((x, y))), (4, 6), (4, 6)),
    inside("half", lambda x: ops.cast(ops.cast(x, "float16") * 2, "float32"), (4, 5), data=uniform(-2, 2, 4, 5)),
)
