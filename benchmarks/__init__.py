"""isomer beside what people use today, in one run, as ratios. `python -m benchmarks` runs all."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The corpus belongs to the tests, which import it by this name too.
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))
