"""`isomer deploy`: files and the check, told on the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.deploy.check import check as run_check
from serving.deploy.render import render as run_render
from serving.errors import EXIT_ENVIRONMENT, EXIT_PASS, EXIT_USAGE, ServingError, StartFault

EXIT_FAILED = 1


def check(url: str, bundle: Path, as_json: bool, **options: Any) -> int:
    """Say whether a server answers like a bundle's certificate. Returns the exit code."""

    def work() -> int:
        verdicts = run_check(url, bundle, **options)
        for verdict in verdicts:
            if as_json:
                fields = {**vars(verdict), "verdict": "PASS" if verdict.passed else "FAIL"}
                print(json.dumps(fields))
            elif verdict.passed:
                print(
                    f"PASS  {verdict.way} {verdict.address}: {verdict.rows} golden samples, at most "
                    f"{verdict.error_ulp:.3g} of {verdict.budget_ulp:.3g} ULP"
                )
            else:
                print(f"FAIL  {verdict.way} {verdict.address}: {verdict.reason}")
        return EXIT_PASS if all(v.passed for v in verdicts) else EXIT_FAILED

    return _guard(work)


def render(exports: Path, target: str, output: Path, **options: Any) -> int:
    """Write a target's files. Returns the exit code."""

    def work() -> int:
        for path in run_render(exports, target, output, **options):
            print(path)
        return EXIT_PASS

    return _guard(work)


def _guard(work: Callable[[], int]) -> int:
    try:
        return work()
    except StartFault as fault:
        print(f"error: {fault.what}\n{fault.fix}", file=sys.stderr)
        return fault.exit_code
    except ServingError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
