"""A bundle's files, read as their schemas specify them: manifest, certificate, golden samples."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from serving.engines import ENTRIES, Entry
from serving.errors import Damaged, Refused, StartFault
from serving.lifecycle import samples
from serving.lifecycle.samples import Samples
from serving.settings import FLOAT32
from serving.signature import Signature

MANIFEST = "manifest.json"
_CERTIFICATE = "certificate.json"
_SCHEMAS = {MANIFEST: "isomer-manifest/", _CERTIFICATE: "isomer-certificate/"}
_CHUNK = 1 << 20


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

    def artifact(self, entry: Entry, precision: str = FLOAT32) -> Path | None:
        """The artifact of an engine at a precision whose cell on the CPU passed; the dynamic one before variants."""
        passed = {
            c["variant"]
            for c in self._certificate["cells"]
            if (c["format"], c["runtime"], c["precision"]) == (entry.name, entry.runtime, precision)
            and c["device"] == "cpu"
            and c["verdict"] == "PASS"
        }
        found = [
            a
            for a in self._manifest["artifacts"]
            if a["format"] == entry.name and a["precision"] == precision and a["variant"] in passed
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

    def samples(self, path: Path | None = None) -> Samples:
        """The golden samples, with what a file must answer: float32 if none is named.

        Raises:
            Damaged: there are none, or they are no samples.
            Refused: nobody knows what this file must answer.
            StartFault: the bundle holds no such file.
        """
        name = None if path is None else path.relative_to(self.root).as_posix()
        found = next((a for a in self._manifest["artifacts"] if a["path"] == name), None)
        if found is None and name not in (None, "."):
            held = ", ".join(a["path"] for a in self._manifest["artifacts"] if a["format"] in ENTRIES)
            raise StartFault(f"The bundle holds no artifact '{name}'.", f"It holds {held}.")
        if found is None or found["precision"] == FLOAT32:
            return samples.read(self.root)
        label = " ".join(filter(None, (found["format"], found["precision"], found["variant"])))
        return samples.read_reduced(self.root, label, ENTRIES[found["format"]].kernels)

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
