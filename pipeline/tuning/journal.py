"""The file that holds a study: every trial that was begun, on this machine's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import EnvironmentFault, UsageError


def open_journal(path: Path) -> Any:
    """An Optuna storage in a file that is made if need be.

    Raises:
        EnvironmentFault: it cannot be written.
        UsageError: it is damaged.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise EnvironmentFault(
            f"The study's journal '{path}' cannot be written: {error.strerror or error}.", "Choose another --runs."
        ) from error
    except (ValueError, KeyError) as error:
        raise UsageError(f"The study's journal '{path}' is damaged: {error}.", "Delete it to begin again.") from error
