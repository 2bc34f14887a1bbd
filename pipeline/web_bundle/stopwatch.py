"""Time from a page's navigation to its first prediction, and of later ones: a bundle's module and TF.js whole, in turn.

Both sides run in one browser, each page in a context of its own (nothing is cached), served from this machine: the
times are those of reading, compiling and starting, without a network, which would add in proportion to the bytes.
"""

from __future__ import annotations

import functools
import http.server
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.runtimes import chromium, node
from pipeline.runtimes.web.chromium_page import ChromiumPage
from pipeline.web_bundle import stock

SIDES = ("isomer", stock.SCRIPT)
_PATIENCE = 60.0  # seconds for one page
_CALLS = 10

_OURS = """
const arrays = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};
const {load} = await import(`./web/${job.module}`);
const model = await load();
const feeds = Object.fromEntries(Object.entries(job.inputs).map(([name, {dtype, shape}]) =>
  [name, {data: new arrays[dtype](shape.reduce((a, b) => a * b, 1)), shape}]));
const predict = () => model.predict(feeds);
"""
# One thread, as a page without cross-origin isolation has.
_THEIRS = """
if (job.backend === 'wasm') {
  tf.wasm.setWasmPaths('stock/');
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
}
await tf.setBackend(job.backend);
const model = await tf.loadGraphModel('tfjs/model.json');
if (tf.getBackend() !== job.backend) throw new Error(`TF.js took ${tf.getBackend()}`);
const predict = async () => {
  const feeds = Object.fromEntries(Object.entries(job.inputs).map(
    ([name, {dtype, shape}]) => [name, tf.zeros(shape, dtype)]));
  const results = [await model.executeAsync(feeds, job.outputs)].flat();
  await Promise.all(results.map((result) => result.data()));
  tf.dispose([feeds, results]);
};
"""
_TIME = """
await predict();
const first = performance.now(), calls = [];
for (let call = 0; call < job.calls; call++) {
  const began = performance.now();
  await predict();
  calls.push(performance.now() - began);
}
return {first, calls};
"""


@dataclass(frozen=True)
class Visit:
    """Milliseconds of one page.

    Attributes:
        first: from navigation to the first prediction.
        calls: of each prediction after it.
    """

    first: float
    calls: tuple[float, ...]


@contextmanager
def browser_for(device: str) -> Iterator[ChromiumPage]:
    """A Chromium for a device, to measure in.

    Raises:
        RuntimeUnavailable: there is none, or it does not start.
    """
    browser = ChromiumPage(chromium.find_browser(), node.find_modules(), device)
    try:
        yield browser
    finally:
        browser.close()


def measure(
    browser: ChromiumPage,
    root: Path,
    artifact: Artifact,
    inputs: Mapping[str, tuple[str, Sequence[int]]],
    rounds: int,
    seconds: float,
) -> dict[str, list[Visit]]:
    """Open a page of each side in turn, and predict one row of zeros; returns the visits of each side.

    Args:
        browser: of `browser_for`.
        root: the bundle.
        artifact: the module.
        inputs: dtype (float32, int32, bool) and shape of one row, by name.
        rounds: how often; fewer, but one, where they take longer than `seconds`.
        seconds: see `rounds`.

    Raises:
        RuntimeError: a page failed, or gave no prediction in a minute.
    """
    visits: dict[str, list[Visit]] = {side: [] for side in SIDES}
    with _site(root, artifact, inputs) as address:
        began = time.monotonic()
        for turn in range(rounds):
            if turn and time.monotonic() - began > seconds:
                break
            for side, found in visits.items():
                found.append(_visit(browser, f"{address}{side}.html"))
    return visits


def _visit(browser: ChromiumPage, address: str) -> Visit:
    found = browser.visit(address, _PATIENCE)
    if isinstance(found, str):
        raise RuntimeError(f"{address.rpartition('/')[2]} failed: {found}")
    return Visit(found["first"], tuple(found["calls"]))


@contextmanager
def _site(root: Path, artifact: Artifact, inputs: Mapping[str, tuple[str, Sequence[int]]]) -> Iterator[str]:
    """Serve a page of each side, the model and TF.js; yields the address."""
    module = artifact.locate(root.resolve())
    with tempfile.TemporaryDirectory(prefix="isomer-page-") as scratch:
        site = Path(scratch)
        (site / "web").symlink_to(module.parent)
        (site / "tfjs").symlink_to(root.resolve() / "tfjs" / artifact.precision)
        (site / "stock").symlink_to(stock.DIRECTORY)
        scripts = [stock.SCRIPT, *([stock.WASM_SCRIPT] if artifact.variant == "wasm" else [])]
        job = {
            "module": module.name,
            "backend": artifact.variant,
            "inputs": {name: {"dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in inputs.items()},
            "outputs": [t.name for t in artifact.signature.outputs],
            "calls": _CALLS,
        }
        _write(site, SIDES[0], (), _OURS, job)
        _write(site, SIDES[1], scripts, _THEIRS, job)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=scratch))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()


def _write(site: Path, name: str, scripts: Sequence[str], code: str, job: Mapping[str, Any]) -> None:
    head = "".join(f'<script src="stock/{script}"></script>' for script in scripts)
    page = f"<!doctype html><meta charset='utf-8'><title>t</title><link rel='icon' href='data:,'>{head}"
    (site / f"{name}.html").write_text(f"{page}<script type='module' src='{name}.mjs'></script>", encoding="utf-8")
    # In a file of its own: names in a model are untrusted, and could end a script in the page.
    (site / f"{name}.mjs").write_text(
        f"const job = {json.dumps(job)};\n"
        f"globalThis.settled = await (async () => {{{code}{_TIME}}})()"
        f".catch((error) => String(error.stack));",
        encoding="utf-8",
    )


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing prints below the CLI."""

    def guess_type(self, path: Any) -> str:
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)
