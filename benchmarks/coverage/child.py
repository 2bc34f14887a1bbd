"""The process that takes models: one request per line on standard input, one row per line on a pipe of its own.

It may die or hang; `benchmarks.coverage.sweep` starts another.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback
from pathlib import Path

from benchmarks.coverage.results import ISOMER, STOCK, Row

# Converters leave much behind; a process that has grown to this is replaced.
_MEMORY_KB = 3_500_000


def main() -> None:
    """Answer until the parent closes the pipe, or until this process has grown too large."""
    from corpus import all_models

    from benchmarks.coverage import judged, today

    models = {m.name: m for m in all_models()}
    with os.fdopen(int(sys.argv[1]), "w") as out:
        print(json.dumps({"models": {n: m.fast for n, m in models.items()}}), file=out, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            model, sides = models[request["model"]], request["sides"]
            start = judged.isolated if request["isolated"] else judged.in_process
            with tempfile.TemporaryDirectory(prefix="coverage-") as directory:
                scratch = Path(directory)
                rows: list[Row] = []
                try:
                    prepared = judged.prepare(model, scratch)
                    if ISOMER in sides:
                        rows.append(judged.judge_model(model.name, prepared, scratch, start, model.fast))
                    if STOCK in sides:
                        rows.append(today.judge_model(model.name, prepared, scratch))
                except Exception as error:
                    traceback.print_exc()
                    if not rows:
                        rows.append(judged.refusal(model.name, error))
            full = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _MEMORY_KB
            print(json.dumps({"rows": [r.to_json() for r in rows], "full": full}), file=out, flush=True)
            if full:
                os._exit(0)


if __name__ == "__main__":
    main()
