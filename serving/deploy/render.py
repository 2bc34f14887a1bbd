"""Files that deploy the bundles of an exports directory: rendered from templates, with what the bundles say."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from serving.deploy.dashboard import dashboard
from serving.errors import ServingError, StartFault
from serving.lifecycle import promotion, versions
from serving.lifecycle.bundle import Bundle

TEMPLATES = Path(__file__).parent / "templates"
# TensorFlow Serving's image, by version: a tag that moves would change what is served.
TENSORFLOW_SERVING = "2.20.0"
# What the lean server needs.
_PACKAGES = ("numpy", "onnxruntime", "ai-edge-litert", "httptools", "uvloop", "orjson", "grpcio", "protobuf")
# Made by code; the others by templates.
DASHBOARD = "grafana-dashboard.json"
# What each target consists of: template, and the file's name.
TARGETS = {
    "compose": (
        "compose.yaml",
        "compose.gpu.yaml",
        "models.config",
        "monitoring.config",
        "batching.config",
        "prometheus.yaml",
        "alerts.yaml",
        "grafana-datasource.yaml",
        "grafana-dashboards.yaml",
        DASHBOARD,
    ),
    "kubernetes": ("kubernetes.yaml",),
    "kserve": ("kserve.yaml",),
    "docker": ("Dockerfile", "Dockerfile.dockerignore"),
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True)
class Served:
    """One model to deploy.

    Attributes:
        name: of the model, and as Kubernetes takes it.
        versions: that are served, the newest first.
        labels: versions by label.
    """

    name: str
    slug: str
    versions: tuple[int, ...]
    labels: dict[str, int]


def render(
    exports: Path, target: str, output: Path, image: str, storage: str, only: str | None = None, canary: int = 100
) -> list[Path]:
    """Write the files of a target.

    Args:
        exports: a directory of models, or one base path.
        target: one of TARGETS.
        output: the directory that they go to.
        image: of the lean server, for Kubernetes and KServe.
        storage: where Kubernetes and KServe find the exports: a volume claim's name, or a storage URI.
        only: one model's name.
        canary: percent of requests that KServe gives the newest storage URI; the one before gets the rest.

    Returns:
        The files.

    Raises:
        StartFault: there is no such target, or nothing to serve.
        ServingError: a bundle is damaged.
        OSError: a file cannot be written.
    """
    import jinja2

    if target not in TARGETS:
        raise StartFault(f"There is no target '{target}'.", f"Choose one of {', '.join(TARGETS)}.")
    if not 0 <= canary <= 100:
        raise StartFault(f"{canary} is no percentage.", "Give --canary a number from 0 to 100.")
    models = _models(exports, only)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # YAML and protocol buffers' text, with values that are quoted as JSON strings
    )
    environment.filters["quoted"] = lambda value: json.dumps(str(value))
    values: dict[str, Any] = {
        "models": models,
        "exports": str(exports.resolve() if len(models) != 1 or _is_root(exports) else exports.resolve().parent),
        "image": image,
        "storage": storage,
        "canary": canary,
        "tensorflow_serving": TENSORFLOW_SERVING,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "requirements": [f"{package}=={version(package)}" for package in _PACKAGES],
    }
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for name in TARGETS[target]:
        path = output / name
        text = dashboard() if name == DASHBOARD else environment.get_template(f"{name}.j2").render(values)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _is_root(exports: Path) -> bool:
    return not versions.versions(exports)


def _models(exports: Path, only: str | None) -> list[Served]:
    try:
        found = versions.models(exports)
    except OSError as error:
        raise StartFault(f"There is no directory '{exports}'.", "Export a model first.") from error
    models = []
    for name, base in found.items():
        if only is not None and name != only:
            continue
        on_disk = versions.versions(base)
        promotions = promotion.read(base)
        usable = sorted(set(on_disk) - promotions.withdrawn, reverse=True)
        if not usable:
            continue
        wanted = {usable[0], *promotions.labels.values()} & set(usable)
        for number in wanted:
            Bundle(on_disk[number])  # refuses one that is damaged
        labels = {label: v for label, v in promotions.labels.items() if v in wanted}
        models.append(Served(name, _slug(name), tuple(sorted(wanted, reverse=True)), labels))
    if not models:
        what = f"no model '{only}'" if only else "no bundle"
        raise StartFault(f"There is {what} in '{exports}'.", "Export a model first, such as `isomer export cnn`.")
    return models


def _slug(name: str) -> str:
    """A model's name as Kubernetes takes names."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not _NAME.fullmatch(slug) or len(slug) > 50:
        raise ServingError(f"'{name}' cannot be made a name that Kubernetes takes")
    return slug
