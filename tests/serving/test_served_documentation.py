"""docs/serving.md: its requests are run as they stand, and its table of limits is the code's."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import fields
from pathlib import Path

from live import Live

from serving.settings import Limits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- serve -->\s*```bash\n(.*?)```", re.DOTALL)


def test_documented_requests_are_answered(tiny: Live) -> None:
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) >= 5
    for block in blocks:
        code = block.replace("localhost:8501", f"{tiny.host}:{tiny.port}").replace("curl -s", "curl -sf")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, code + done.stderr
        for document in re.split(r"(?<=\})\n(?=\{)", done.stdout.strip()):
            assert "error" not in json.loads(document), code


def test_every_limit_is_documented() -> None:
    for limit in fields(Limits):
        assert f"`--max-{limit.name.replace('_', '-')}`" in PAGE, limit.name


def test_the_example_that_the_server_prints_works(tiny: Live) -> None:
    (command,) = [line.strip() for line in tiny.lines if line.startswith("  ")]
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True)
    assert "predictions" in json.loads(done.stdout)
