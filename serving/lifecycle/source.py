"""Where it is said what to serve: a directory of models, a `models.config`, or a request that replaced either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving import log
from serving.errors import ServingError, StartFault
from serving.lifecycle import config, promotion, versions
from serving.lifecycle.config import ModelConfig, Policy


class Source:
    """The models that are wanted now.

    A models.config is read again when its content changes; one that cannot be read, or is refused, changes
    nothing. After `replace`, only a change of the file counts again.

    Args:
        root: a directory of models, or one base path; not looked at if there is a file.
        file: a models.config.
        name: of the model, where the root is one base path.

    Raises:
        StartFault: the file cannot be read.
    """

    def __init__(self, root: Path | None, file: Path | None = None, name: str | None = None) -> None:
        self._root = root
        self._file = file
        self._name = name
        self.wanted: Sequence[ModelConfig] = ()
        self._replaced = False
        self._content: bytes | None = None
        self._problems: dict[Path, str] = {}
        if file is not None:
            try:
                self._content = file.read_bytes()
                self.wanted = config.read(file)
            except (OSError, ServingError) as error:
                text = error.message if isinstance(error, ServingError) else error.strerror or str(error)
                raise StartFault(
                    f"Cannot take '{file}': {text}.",
                    "docs/serving.md has an example of a models.config.",
                ) from error

    def look(self) -> Sequence[ModelConfig]:
        """What is wanted now. Blocks."""
        where = self._file or self._root
        if where is None or (self._file is None and self._replaced):
            return self.wanted
        try:
            if self._file is not None:
                self._read(self._file)
            else:
                self.wanted = self._discover(where)
            self._problems.pop(where, None)
        except (OSError, ServingError) as error:
            self._warn(where, error)
        return self.wanted

    @property
    def explicit(self) -> bool:
        """Whether each model was asked for by name, so that one without a version is a fault."""
        return self._file is not None or self._replaced

    def replace(self, wanted: Sequence[ModelConfig]) -> None:
        """Want these from now on."""
        self.wanted = wanted
        self._replaced = True

    def _read(self, file: Path) -> None:
        content = file.read_bytes()
        if content == self._content:
            return
        self._content = content
        wanted = config.read(file)
        config.check_transition(self.wanted, wanted)
        log.info("config_changed", path=str(file), models=[m.name for m in wanted])
        self.wanted = wanted

    def _discover(self, root: Path) -> Sequence[ModelConfig]:
        """The directories of the root; one that is gone stays wanted, since that may be a disk that is."""
        found = {m.name: m for m in self.wanted}
        for name, base in versions.models(root, self._name).items():
            try:
                promotions = promotion.read(base)
            except ServingError as error:
                self._warn(base, error)
                found.setdefault(name, ModelConfig(name, base))
                continue
            self._problems.pop(base, None)
            policy = Policy(also=frozenset(promotions.labels.values()), withdrawn=promotions.withdrawn)
            found[name] = ModelConfig(name, base, policy, promotions.labels)
        return tuple(found.values())

    def _warn(self, path: Path, error: Exception) -> None:
        """Log a problem once."""
        if self._problems.get(path) != str(error):
            self._problems[path] = str(error)
            log.warning("unreadable", path=str(path), reason=str(error))
