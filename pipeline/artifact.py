"""An artifact: a capture written in one format at one precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.signature import Signature


@dataclass(frozen=True)
class Artifact:
    """One exported model file (or directory).

    Attributes:
        format: "savedmodel", "tflite", "tfjs" or "onnx".
        precision: "float32", "float16", "int8", ...
        path: relative to the bundle's root, with forward slashes.
        signature: what the file offers: names, dtypes, shapes, dynamic dimensions.
        variant: "" for the main file, "batch1" for a copy with a static batch of one.
        bytes: size on disk of everything that belongs to it.
        rewrites: legalization rules that were applied on the way, with their number of uses.
        notes: facts about the artifact that a reader of the certificate should know.
        flex: TensorFlow's own operations in a TFLite file (Select TF); only a runtime with the Flex delegate runs them.
    """

    format: str
    precision: str
    path: str
    signature: Signature
    variant: str = ""
    bytes: int = 0
    rewrites: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    flex: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """ "tflite float32 batch1": how tables name it."""
        return " ".join(part for part in (self.format, self.precision, self.variant) if part)

    def locate(self, root: Path) -> Path:
        return root / self.path

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Artifact:
        return cls(
            format=data["format"],
            precision=data["precision"],
            path=data["path"],
            signature=Signature.from_json(data["signature"]),
            variant=data.get("variant", ""),
            bytes=data.get("bytes", 0),
            rewrites=tuple(sorted((k, v) for k, v in data.get("rewrites", {}).items())),
            notes=tuple(data.get("notes", ())),
            flex=tuple(data.get("flex", ())),
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "format": self.format,
            "precision": self.precision,
            "variant": self.variant,
            "path": self.path,
            "bytes": self.bytes,
            "signature": self.signature.to_json(),
            "rewrites": dict(self.rewrites),
            "notes": list(self.notes),
        }
        return {**data, "flex": list(self.flex)} if self.flex else data
