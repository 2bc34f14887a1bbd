"""The JavaScript harness for Node.js and browsers, and Python's end of it.

`*.mjs` and `harness.html` run on the other side: `node_runner.mjs` and `harness.mjs` (the page) bring the libraries to
the adapters in the room `adapters/`, one per JavaScript runtime. On this side `runner.py` drives Node.js by pipes, and
`page.py` a page that `server.py` feeds: in Chromium by Playwright, in Firefox by puppeteer. Arrays are `wire` frames.
"""

from __future__ import annotations

from pathlib import Path


def model_file(path: Path) -> Path:
    """`model.json` of an artifact that is given as that file or as its directory."""
    return path / "model.json" if path.is_dir() else path
