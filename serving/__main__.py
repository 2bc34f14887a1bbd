"""`python -m serving`: the server without the engine room's packages."""

from __future__ import annotations

import sys

from serving.main import run
from serving.options import parse

if __name__ == "__main__":
    sys.exit(run(parse(sys.argv[1:], "python -m serving")))
