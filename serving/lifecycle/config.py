"""What to serve: models with their base paths, version policies and labels, as `models.config` says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from serving.errors import FailedPrecondition, InvalidArgument
from serving.protos import message

_PLATFORM = "tensorflow"
# Numbers of the deprecated enum ModelType.
_UNSPECIFIED, _TENSORFLOW = 0, 1


@dataclass(frozen=True)
class Policy:
    """Which of the versions on disk are to be served.

    Attributes:
        latest: so many of the newest; None for all.
        specific: these and no others, if given.
        also: these as well, whatever `latest` says.
        withdrawn: none of these, whatever else is said.
    """

    latest: int | None = 1
    specific: frozenset[int] | None = None
    also: frozenset[int] = frozenset()
    withdrawn: frozenset[int] = frozenset()

    def wants(self, version: int, newer: int) -> bool:
        """Whether a version is to be served, of which so many newer ones are."""
        if version in self.withdrawn:
            return False
        if version in self.also:
            return True
        if self.specific is not None:
            return version in self.specific
        return self.latest is None or newer < self.latest


@dataclass(frozen=True)
class ModelConfig:
    """One model to serve.

    Attributes:
        name: in requests; `base`: its base path.
        policy: which versions; `labels`: versions by label.
        platform: as given.
    """

    name: str
    base: Path
    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)
    platform: str = _PLATFORM


def read(path: Path) -> tuple[ModelConfig, ...]:
    """The models of a `models.config`: a ModelServerConfig in protocol buffers' text format.

    Raises:
        OSError: the file cannot be read.
        InvalidArgument: it is none, or TensorFlow Serving would refuse it.
    """
    config = message("ModelServerConfig")()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"Invalid protobuf file: '{path}': {error}") from error
    if config.WhichOneof("config") != "model_config_list":
        raise InvalidArgument(f"'{path}' has no model_config_list")
    return models(config.model_config_list.config)


def models(entries: Iterable[Any]) -> tuple[ModelConfig, ...]:
    """The models of a ModelConfigList, checked as TensorFlow Serving checks them.

    Raises:
        InvalidArgument: a name is given twice, a path is relative, or a platform is not served.
    """
    found: dict[str, ModelConfig] = {}
    for entry in entries:
        if entry.name in found:
            raise InvalidArgument(f"Illegal to list model {entry.name} multiple times in config list")
        if not entry.base_path.startswith("/"):
            raise InvalidArgument(
                f"Expected model {entry.name} to have an absolute path or URI; got base_path()={entry.base_path}"
            )
        found[entry.name] = ModelConfig(
            entry.name, Path(entry.base_path), _policy(entry), dict(entry.version_labels), _platform(entry)
        )
    return tuple(found.values())


def check_transition(old: Iterable[ModelConfig], new: Iterable[ModelConfig]) -> None:
    """A model keeps its platform as long as it is served.

    Raises:
        InvalidArgument: one changes it.
    """
    platforms = {m.name: m.platform for m in old}
    for model in new:
        was = platforms.get(model.name, model.platform)
        if was != model.platform:
            raise InvalidArgument(
                f"Illegal to change a model's platform. For model {model.name} platform was {was} and new platform "
                f"requested is {model.platform}"
            )


def check_labels(wanted: Iterable[ModelConfig], available: Mapping[str, Iterable[int]]) -> None:
    """A label goes to a version only while that takes traffic.

    Args:
        available: versions that do, by model.

    Raises:
        FailedPrecondition: one does not.
    """
    for model in wanted:
        for version in model.labels.values():
            if version not in available.get(model.name, ()):
                raise FailedPrecondition(
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference"
                )


def _policy(entry: Any) -> Policy:
    choice = entry.model_version_policy.WhichOneof("policy_choice")
    if choice == "all":
        return Policy(latest=None)
    if choice == "specific":
        return Policy(specific=frozenset(entry.model_version_policy.specific.versions))
    return Policy(latest=max(entry.model_version_policy.latest.num_versions, 1))


def _platform(entry: Any) -> str:
    if entry.model_type != _UNSPECIFIED:
        if entry.model_platform:
            raise InvalidArgument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if entry.model_type != _TENSORFLOW:
            raise InvalidArgument(f"ModelServerConfig::model_type choice {entry.model_type} not supported.")
        return _PLATFORM
    if not entry.model_platform:
        raise InvalidArgument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    if entry.model_platform != _PLATFORM:
        raise InvalidArgument(f"Model {entry.name} requests unsupported platform {entry.model_platform}")
    return str(entry.model_platform)
