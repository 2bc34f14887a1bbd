"""A bundle's files, read as their schemas specify them: manifest, certificate, golden samples."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.engines import Entry
from serving.errors import Damaged, Refused
from serving.signature import Signature

MANIFEST = "manifest.json"
_CERTIFICATE = "certificate.json"
_SAMPLES = "golden/samples.npz"
_SCHEMAS = {MANIFEST: "isomer-manifest/", _CERTIFICATE: "isomer-certificate/"}
_CHUNK = 1 << 20
# Samples are a few rows; an archive that unpacks to more than this is not one that isomer wrote.
_MAX_SAMPLES = 256 << 20


@dataclass(frozen=True)
class Samples:
    """Rows whose exact answers are known.

    Attributes:
        inputs: by input name.
        exact: by output name: float64, or the very values for outputs that are not floats.
        reference: TensorFlow's float32 outputs: where they are not finite, nothing is required.
        scales: by name of a float output: the magnitude that each row's error counts against; float64 [rows].
        limits: by name of a float output: the error that each row may show, in ULP of its scale; float64 [rows].
        alone: the rows of one request change each other's answers, so that each was answered in one of its own.
    """

    inputs: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    reference: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]
    limits: dict[str, np.ndarray]
    alone: bool = False

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))


class Bundle:
    """One version's directory whose files are, byte for byte, what its manifest lists.

    Raises:
        Damaged: a file is changed, missing or not listed.
        Refused: manifest or certificate are missing, or of a schema that this server does not know.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifest = _read(root, MANIFEST)
        self._hashes = {e["path"]: e["sha256"] for e in self._manifest["files"]}
        self._verify()
        self._certificate = _read(root, _CERTIFICATE)
        self.signature = Signature.from_json(self._certificate["signature"])

    @property
    def digest(self) -> str:
        """One string that stands for the bundle's content."""
        return str(self._manifest["digest"])

    def artifact(self, entry: Entry) -> Path | None:
        """The float32 artifact of an engine whose cell on the CPU passed; the dynamic one before variants.

        Reduced precisions are certified by accuracy, not by the goldens' budgets: they are not taken here.
        """
        passed = {
            c["variant"]
            for c in self._certificate["cells"]
            if (c["format"], c["runtime"], c["precision"]) == (entry.name, entry.runtime, "float32")
            and c["device"] == "cpu"
            and c["verdict"] == "PASS"
        }
        found = [
            a
            for a in self._manifest["artifacts"]
            if a["format"] == entry.name and a["precision"] == "float32" and a["variant"] in passed
        ]
        best = min(found, key=lambda a: a["variant"], default=None)
        return None if best is None else self.root / best["path"]

    def content(self, path: Path) -> bytes:
        """An artifact's bytes, checked as they are read: what is loaded is what was checked.

        Raises:
            Damaged: they are not what the manifest says.
        """
        content = path.read_bytes()
        name = path.relative_to(self.root).as_posix()
        if hashlib.sha256(content).hexdigest() != self._hashes.get(name):
            raise Damaged(f"{name}: its content changed since it was exported")
        return content

    def samples(self) -> Samples:
        """The golden samples.

        Raises:
            Damaged: there are none, or they are no samples.
        """
        path = self.root / _SAMPLES
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _MAX_SAMPLES:
                    raise Damaged(f"{_SAMPLES}: unpacks to more than {_MAX_SAMPLES} bytes")
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise Damaged(f"{_SAMPLES}: {error}") from error

        def under(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        samples = Samples(
            under("input/"), under("exact/"), under("reference/"), under("scale/"), under("limit/"), "alone" in arrays
        )
        if not samples.inputs or not samples.exact:
            raise Damaged(f"{_SAMPLES}: holds no samples")
        return samples

    def _verify(self) -> None:
        present = {
            p.relative_to(self.root).as_posix()
            for p in self.root.rglob("*")
            if (p.is_file() or p.is_symlink()) and p != self.root / MANIFEST
        }
        for entry in sorted(self._manifest["files"], key=lambda e: e["path"]):
            path = entry["path"]
            if path not in present:
                raise Damaged(f"{path}: missing")
            size = (self.root / path).stat().st_size
            if size != entry["bytes"]:
                raise Damaged(f"{path}: {size} bytes, {entry['bytes']} when it was exported")
            if _sha256(self.root / path) != entry["sha256"]:
                raise Damaged(f"{path}: its content changed since it was exported")
        if extra := sorted(present - self._hashes.keys()):
            raise Damaged(f"{extra[0]}: not part of the bundle")


def _read(root: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads((root / name).read_bytes())
    except FileNotFoundError as error:
        raise Refused(f"no {name}: not a bundle, or half of one (--no-gate serves models of other origin)") from error
    except (OSError, ValueError) as error:
        raise Damaged(f"{name}: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not str(schema).startswith(_SCHEMAS[name]):
        raise Refused(f"{name}: schema {schema!r} is not one that this server knows")
    return document


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
