"""`isomer promote` and `isomer rollback`: a change of a model's promotions, told on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from serving.errors import EXIT_ENVIRONMENT, EXIT_PASS, EXIT_USAGE, ServingError
from serving.lifecycle import promotion, versions
from serving.lifecycle.bundle import Bundle
from serving.lifecycle.promotion import Promotions


def promote(exports: Path, name: str, version: int, label: str) -> int:
    """Give a version a label; its files must be those of its manifest. Returns the exit code."""

    def change(base: Path, now: Promotions) -> Promotions:
        found = versions.versions(base)
        if version not in found:
            raise ServingError(f"'{base}' has no version {version}, only {_list(found)}")
        Bundle(found[version])
        return now.promote(version, label)

    return _change(exports / name, change)


def roll_back(exports: Path, name: str, label: str) -> int:
    """Put a label back, and withdraw what is newer. Returns the exit code."""
    return _change(exports / name, lambda base, now: now.roll_back(list(versions.versions(base)), label))


def _change(base: Path, change: Callable[[Path, Promotions], Promotions]) -> int:
    try:
        promotions = change(base, promotion.read(base))
        promotion.write(base, promotions)
        found = versions.versions(base)
    except FileNotFoundError:
        print(f"error: there is no model in '{base}'", file=sys.stderr)
        return EXIT_USAGE
    except ServingError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    newest = max(set(found) - promotions.withdrawn, default=None)
    labels = ", ".join(f"{label} = {version}" for label, version in sorted(promotions.labels.items())) or "no labels"
    withdrawn = f"; withdrawn: {_list(promotions.withdrawn)}" if promotions.withdrawn else ""
    print(f"{base.name}: {labels}; requests that name neither version nor label get {newest}{withdrawn}")
    return EXIT_PASS


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"
