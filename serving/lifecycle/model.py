"""One model: its versions, their states, and the one that serves. Touched by the event loop's thread only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from serving.contract.paths import Target
from serving.contract.views import VersionStatus
from serving.errors import Code, InvalidArgument, NotFound, ServingError
from serving.lifecycle.loading import Servable

# Versions that are gone are remembered for status, but not for ever.
_MAX_ENDED = 64


@dataclass
class Version:
    """One version that was seen.

    Attributes:
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        problem: why it does not serve, if it was refused.
        fingerprint: of its files when it was refused.
        servable: while it is AVAILABLE.
    """

    number: int
    state: str = "START"
    problem: ServingError | None = None
    fingerprint: tuple[tuple[str, int, int], ...] = ()
    servable: Servable | None = None

    def status(self) -> VersionStatus:
        """Its line in a status."""
        if self.problem is None:
            return VersionStatus(self.number, self.state)
        return VersionStatus(self.number, self.state, self.problem.code, self.problem.message)


@dataclass
class Model:
    """One model and what is known of its versions.

    Attributes:
        name: in requests.
        base: its base path.
        versions: by number.
        labels: version numbers by label.
        wanted: whether it is to be served; `named`: and was asked for by name.
    """

    name: str
    base: Path
    versions: dict[int, Version] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    wanted: bool = True
    named: bool = False

    @property
    def available(self) -> list[Version]:
        """Versions that take traffic, the newest first."""
        return sorted((v for v in self.versions.values() if v.servable is not None), key=lambda v: -v.number)

    def version(self, number: int) -> Version:
        """The record of one version, new if it was never seen."""
        return self.versions.setdefault(number, Version(number))

    def forget(self) -> None:
        """Drop the oldest records of versions that ended and are no news any more."""
        ended = sorted(n for n, v in self.versions.items() if v.state == "END")
        for number in ended[:-_MAX_ENDED]:
            del self.versions[number]


class Models:
    """All models, as requests see them."""

    def __init__(self) -> None:
        self.by_name: dict[str, Model] = {}
        # True once every base path was looked at and what could be loaded was.
        self.settled = False

    def find(self, target: Target) -> Servable:
        """The version that a request is for.

        Raises:
            NotFound: the model or the version does not take traffic.
            InvalidArgument: it names a label that the model does not have.
        """
        model = self.by_name.get(target.model)
        if target.label is not None:
            labels = model.labels if model else {}
            if target.label not in labels:
                raise InvalidArgument(f"Unrecognized servable version label: {target.label}")
            target = replace(target, version=labels[target.label], label=None)
        for version in model.available if model else ():
            if target.version in (None, version.number) and version.servable is not None:
                return version.servable
        raise NotFound(f"Servable not found for request: {target.describe()}")

    def status(self, target: Target) -> list[VersionStatus]:
        """States of one version, or of all versions. Labels are ignored, as TensorFlow Serving does.

        Raises:
            NotFound: nothing is known of it.
        """
        model = self.by_name.get(target.model)
        versions = model.versions if model else {}
        if target.version is not None:
            if target.version not in versions:
                raise NotFound(f"Could not find version {target.version} of model {target.model}")
            return [versions[target.version].status()]
        if not versions:
            raise NotFound(f"Could not find any versions of model {target.model}")
        return [v.status() for v in versions.values()]

    def unready(self) -> list[str]:
        """Why the server should get no traffic yet; empty when it should."""
        if not self.settled:
            return ["models are still being loaded"]
        served = {n: m for n, m in self.by_name.items() if m.wanted and (m.versions or m.named)}
        if not served:
            return ["there are no models"]
        return [f"{name}: no version is available" for name, model in served.items() if not model.available]


def refusal(error: ServingError) -> ServingError:
    """The error that a refused version keeps: without the frames and arrays that its trace holds."""
    kept = type(error)(error.message)
    assert kept.code is not Code.OK
    return kept
