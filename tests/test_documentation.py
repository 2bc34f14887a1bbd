"""The documentation's commands are run as they stand: blocks that follow a `<!-- run -->` comment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- run -->\s*```(bash|python)\n(.*?)```", re.DOTALL)
PAGES = sorted([ROOT / "README.md", ROOT / "models" / "README.md", ROOT / "docs" / "training.md"])


def blocks() -> list[tuple[Path, str, str]]:
    return [(page, kind, code) for page in PAGES for kind, code in BLOCK.findall(page.read_text(encoding="utf-8"))]


def test_the_readme_has_commands_to_run() -> None:
    assert sum(page.name == "README.md" and page.parent == ROOT for page, _, _ in blocks()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_documented_commands_run(page: Path, tmp_path: Path) -> None:
    """A page's in order and in one directory, as a reader would; `uv run` is this environment."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    for _, kind, code in (block for block in blocks() if block[0] == page):
        if kind == "bash":
            command = ["bash", "-euo", "pipefail", "-c", code.replace("uv run ", "")]
        else:
            command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{page.name}: {code}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_files_of_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_overrides_for_tool_installs_are_the_projects_own() -> None:
    """`uv tool install` does not read [tool.uv]; overrides.txt repeats it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (ROOT / "overrides.txt").read_text().split("\n")[:-1] == project["tool"]["uv"]["override-dependencies"]
