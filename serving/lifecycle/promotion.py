"""A model's promotions: which version has which label, and which versions were rolled back.

They are kept as a file in the base path. TensorFlow Serving looks at integer names only and does not see it; this
server reads it with every look at the base path, so that a promotion needs no request to any server.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.errors import Damaged, FailedPrecondition, NotFound

FILE = "serving.json"
STABLE = "stable"
_SCHEMA = "isomer-serving/1"


@dataclass(frozen=True)
class Promotions:
    """What was promoted and rolled back.

    Attributes:
        labels: versions by label.
        withdrawn: versions that take no traffic.
        history: one entry for each change, the oldest first.
    """

    labels: dict[str, int] = field(default_factory=dict)
    withdrawn: frozenset[int] = frozenset()
    history: tuple[dict[str, Any], ...] = ()

    def promote(self, version: int, label: str) -> Promotions:
        """`label` at `version`, which takes traffic again if it was rolled back."""
        return self._changed(
            {**self.labels, label: version}, self.withdrawn - {version}, "promote", version=version, label=label
        )

    def roll_back(self, versions: list[int], label: str) -> Promotions:
        """`label` where it was before, and no traffic for versions that are newer.

        Args:
            versions: on disk.

        Raises:
            FailedPrecondition: there is no version to go back to.
        """
        current = self.labels.get(label)
        serving = sorted(set(versions) - self.withdrawn)
        if current is None:
            before = serving[:-1]
            labels = self.labels
        else:
            before = [e["version"] for e in self._standing(label) if e["version"] in serving][:-1]
            labels = {**self.labels, label: before[-1]} if before else {}
        if not before:
            raise FailedPrecondition("there is no version before this one to go back to")
        target = before[-1]
        withdrawn = self.withdrawn | {v for v in serving if v > target}
        return self._changed(labels, withdrawn, "rollback", version=target, label=label if current else None)

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "schema": _SCHEMA,
            "labels": dict(sorted(self.labels.items())),
            "withdrawn": sorted(self.withdrawn),
            "history": list(self.history),
        }

    def _standing(self, label: str) -> list[dict[str, Any]]:
        """The promotions of a label that no rollback has undone."""
        standing: list[dict[str, Any]] = []
        for entry in self.history:
            if entry["label"] != label:
                continue
            if entry["verb"] == "promote":
                standing.append(entry)
            else:
                while standing and standing[-1]["version"] != entry["version"]:
                    standing.pop()
        return standing

    def _changed(self, labels: dict[str, int], withdrawn: frozenset[int], verb: str, **what: Any) -> Promotions:
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "verb": verb, **what}
        return replace(self, labels=labels, withdrawn=withdrawn, history=(*self.history, entry))


def read(base: Path) -> Promotions:
    """The promotions in a base path; none if there is no file.

    Raises:
        Damaged: the file is not one of ours.
    """
    try:
        document = json.loads((base / FILE).read_bytes())
        if document["schema"] != _SCHEMA:
            raise ValueError(f"schema {document['schema']!r} is not one that this version knows")
        labels = {str(label): int(version) for label, version in document["labels"].items()}
        return Promotions(labels, frozenset(map(int, document["withdrawn"])), tuple(document["history"]))
    except FileNotFoundError:
        return Promotions()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{base / FILE}: {error}") from error


def write(base: Path, promotions: Promotions) -> None:
    """Replace the file in one step.

    Raises:
        NotFound: there is no such base path.
        OSError: it cannot be written.
    """
    if not base.is_dir():
        raise NotFound(f"there is no directory '{base}'")
    hidden = base / f".{FILE}.{os.getpid()}"
    try:
        hidden.write_text(json.dumps(promotions.to_json(), indent=2) + "\n", encoding="utf-8")
        hidden.replace(base / FILE)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
