"""A TFLite file as C for microcontrollers: an array, the operators to register, and how much memory tensors take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline import runtimes
from pipeline.artifact import Artifact
from pipeline.errors import RuntimeCrash, RuntimeUnavailable
from pipeline.formats import tflite

# Of the flash that a large microcontroller has.
_LIMIT = 1 << 20
# The smallest first: what fits on a microcontroller.
_PREFERRED = ("int8", "int8-io", "float32")
_PER_LINE = 24
# Operators that TFLite Micro's resolver does not spell as their names would have it.
_SPELLED = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def choose(artifacts: Sequence[Artifact]) -> Artifact | None:
    """The file for microcontrollers: of one row, without dynamic dimensions; None where there is none that fits."""
    fitting = {
        a.precision: a
        for a in artifacts
        if a.format == "tflite" and a.variant == "batch1" and not a.flex and a.bytes <= _LIMIT
    }
    return next((fitting[p] for p in _PREFERRED if p in fitting), None)


def arena(root: Path, artifact: Artifact) -> tuple[int | None, str]:
    """Bytes of the arena that TFLite Micro's own interpreter uses, or None and why."""
    (entry,) = runtimes.select(("tflite-micro",))
    with entry.start() as worker:
        try:
            return int(worker.activate(artifact, artifact.locate(root))["arena_bytes"]), ""
        except (RuntimeUnavailable, RuntimeCrash) as error:
            return None, " ".join(str(error).split())[:300]


def write(root: Path, artifact: Artifact, directory: Path) -> None:
    """Write `model.h` and `model.c` of one file of the bundle at `root`."""
    path = artifact.locate(root)
    data = path.read_bytes()
    operators = sorted(tflite.operators(path))
    measured, why = arena(root, artifact)
    size = (
        f"#define MODEL_ARENA_BYTES {_rounded(measured)}  /* {measured} in TFLite Micro's interpreter on x86-64 */"
        if measured is not None
        else f'#error "how large the arena must be is not known: {_quoted(why)}"'
    )
    listed = " ".join(f"X({_registered(name)})" for name in operators)
    (directory / "model.h").write_text(
        f"/* {artifact.label}, {len(data)} bytes. */\n"
        "#ifndef MODEL_H\n#define MODEL_H\n\n"
        "#ifdef __cplusplus\n"
        'extern "C" {\n'
        "#endif\n"
        f"extern const unsigned char model_data[{len(data)}];\n"
        "#ifdef __cplusplus\n}\n#endif\n\n"
        f"{size}\n"
        f"#define MODEL_OPERATOR_COUNT {len(operators)}\n"
        f"#define MODEL_OPERATORS(X) {listed}\n\n#endif\n",
        encoding="utf-8",
    )
    lines = (data[k : k + _PER_LINE] for k in range(0, len(data), _PER_LINE))
    body = ",\n".join(",".join(str(byte) for byte in line) for line in lines)
    (directory / "model.c").write_text(
        '#include "model.h"\n\n#if defined(__GNUC__)\n__attribute__((aligned(16)))\n#endif\n'
        f"const unsigned char model_data[{len(data)}] = {{\n{body}}};\n",
        encoding="utf-8",
    )


def _registered(operator: str) -> str:
    """TFLite Micro's name of an operator: CONV_2D is added by AddConv2D."""
    spelled = "".join(part if part[0].isdigit() else part.capitalize() for part in operator.split("_"))
    return _SPELLED.get(operator, spelled)


def _rounded(size: int) -> int:
    """With an eighth to spare: pointers and alignment differ between processors."""
    return -(-size * 9 // 8 // 16) * 16


def _quoted(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")
