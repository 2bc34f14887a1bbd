"""isomer's web bundle beside the whole library: bytes to send, and time to the first prediction in a fresh page.

The stock way is TF.js' own single file, `tf.min.js`, with `tf.loadGraphModel` and the same TF.js artifact: its code
holds every backend but WebAssembly, which is the package's own script and binary on top. Both sides run in the same
browser, in turn, each in a context of its own (nothing cached), from the same server on this machine: the times are
those of reading, compiling and starting, without a network, which would add in proportion to the bytes. Bytes are the
code's, without the model: the weights are the same on both sides.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.artifact import Artifact
from pipeline.bundle import manifest
from pipeline.errors import BundleError
from pipeline.runtimes import chromium, node

NAME = "payload: isomer's web bundle / tf.min.js, bytes of code and time to the first prediction"
AIM = 0.2  # of the bytes by brotli, for a small model on the CPU
_TIME_AIM = 1.0
_MODELS = ("softmax", "mlp", "cnn", "lstm", "vit")
# Of the package on npm; only its browser builds are looked at, so that nothing that it depends on is installed.
_STOCK = "@tensorflow/tfjs@4.22.0"
_INTEGRITY = "sha512-0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg=="
_WASM = "@tensorflow/tfjs-backend-wasm/dist"

_COMPRESS = """
const fs = require('fs'), zlib = require('zlib');
const best = {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 11}};
const sizes = process.argv.slice(1).map((file) => {
  const bytes = fs.readFileSync(file);
  return [bytes.length, zlib.gzipSync(bytes, {level: 9}).length, zlib.brotliCompressSync(bytes, best).length];
});
console.log(JSON.stringify([0, 1, 2].map((at) => sizes.reduce((sum, each) => sum + each[at], 0))));
"""

_OURS = """
const {load, inputs} = await import('./bundle/BACKEND.mjs');
const model = await load();
const [name, {shape}] = Object.entries(inputs)[0];
await model.predict({[name]: {data: new Float32Array(SIZE), shape: SHAPE}});
"""

_THEIRS = """
WASM
await tf.setBackend('BACKEND');
const model = await tf.loadGraphModel('tfjs/model.json');
if (tf.getBackend() !== 'BACKEND') throw new Error(tf.getBackend());
const result = await model.executeAsync({'INPUT': tf.zeros(SHAPE)}, ['OUTPUT']);
await result.data();
"""


def run(rounds: int, exports: Path) -> dict[str, Any]:
    """Bytes and milliseconds of both sides, by model and backend.

    Args:
        rounds: how often each page is opened.
        exports: where the recipes' bundles are.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        stock = _stock(Path(scratch))
        for model in _MODELS:
            try:
                bundle = manifest.locate(exports / model)
                listing = manifest.read(bundle)
            except BundleError as error:
                found[model] = {"missing": str(error)}
                continue
            artifacts = [Artifact.from_json(a) for a in listing["artifacts"]]
            for artifact in (a for a in artifacts if a.format == "web" and a.precision == "float32"):
                found[f"{model} {artifact.variant}"] = _compare(bundle, artifact, stock, Path(scratch), rounds)
    measured = {name: f for name, f in found.items() if "bytes" in f}
    return {"models": measured, "missing": {n: f for n, f in found.items() if "missing" in f}, "aim": AIM}


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """A table of both sides, and their ratios."""
    yield "  model       backend  raw B      gzip B   brotli B   of tf.min.js   first prediction, ms   of tf.min.js"
    for name, f in figures["models"].items():
        model, backend = name.split()
        raw, gzip, brotli = f["bytes"]["isomer"]
        ours, theirs = f["milliseconds"]["isomer"], f["milliseconds"]["tf.min.js"]
        yield (
            f"  {model:<11} {backend:<8} {raw:<10,} {gzip:<8,} {brotli:<10,} {f['bytes_ratio']:<14.3f} "
            f"{median(ours):>5.0f} / {median(theirs):<13.0f} {f['time_ratio']:.2f}"
        )
    for name, f in figures["missing"].items():
        yield f"  {name}: {f['missing']}"
    yield f"  aim: {AIM:g} of the bytes on the CPU, less than {_TIME_AIM:g} of the time"


def _stock(scratch: Path) -> Path:
    """A directory with `tf.min.js` and the WebAssembly backend's script and binaries, of the same version."""
    modules = node.find_modules()
    target = scratch / "stock"
    target.mkdir()
    npm = shutil.which("npm") or "npm"
    done = subprocess.run([npm, "pack", "--json", _STOCK], cwd=scratch, capture_output=True, text=True, check=True)
    (packed,) = json.loads(done.stdout)
    if packed["integrity"] != _INTEGRITY:
        raise RuntimeError(f"{_STOCK} on npm is not the file that was compared with: {packed['integrity']}")
    with tarfile.open(scratch / packed["filename"]) as archive:
        member = archive.extractfile("package/dist/tf.min.js")
        assert member is not None
        (target / "tf.min.js").write_bytes(member.read())
    for name in ("tf-backend-wasm.min.js", "tfjs-backend-wasm-simd.wasm"):
        shutil.copyfile(modules / _WASM / name, target / name)
    return target


@functools.cache
def _sizes(*files: Path) -> list[int]:
    """Raw, by gzip and by brotli, all together."""
    done = subprocess.run([node.find_node().path, "-e", _COMPRESS, *files], capture_output=True, text=True, check=True)
    sizes: list[int] = json.loads(done.stdout)
    return sizes


def _compare(bundle: Path, artifact: Artifact, stock: Path, scratch: Path, rounds: int) -> dict[str, Any]:
    site = scratch / "site"
    shutil.rmtree(site, ignore_errors=True)
    module = artifact.locate(bundle)
    shutil.copytree(module.parent, site / "bundle")
    shutil.copytree(bundle / "tfjs" / artifact.precision, site / "tfjs")
    shutil.copytree(stock, site / "stock")
    backend, spec = artifact.variant, artifact.signature.inputs[0]
    shape = [1, *(n or 1 for n in spec.shape[1:])]
    wasm = "tf.wasm.setWasmPaths('stock/'); tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);"
    words = {
        "BACKEND": backend,
        "SHAPE": json.dumps(shape),
        "SIZE": " * ".join(map(str, shape)),
        "INPUT": spec.name,
        "OUTPUT": artifact.signature.outputs[0].name,
        "WASM": wasm if backend == "wasm" else "",
    }
    head = '<script src="stock/tf.min.js"></script>'
    head += '<script src="stock/tf-backend-wasm.min.js"></script>' if backend == "wasm" else ""
    _page(site / "isomer.html", "", _OURS, words)
    _page(site / "tf.min.js.html", head, _THEIRS, words)
    used = ["tfjs-backend-wasm-simd.wasm"] if backend == "wasm" else []
    theirs = ["tf.min.js", *(["tf-backend-wasm.min.js", *used] if used else [])]
    size = {
        "isomer": _sizes(module, *(module.parent / name for name in used)),
        "tf.min.js": _sizes(*(stock / name for name in theirs)),
    }
    times = _time(site, backend, rounds)
    return {
        "bytes": size,
        "bytes_ratio": size["isomer"][2] / size["tf.min.js"][2],
        "milliseconds": times,
        "time_ratio": median(times["isomer"]) / median(times["tf.min.js"]),
    }


def _page(file: Path, head: str, script: str, words: dict[str, str]) -> None:
    for word, value in words.items():
        script = script.replace(word, value)
    file.write_text(
        f"<!doctype html><title>t</title>{head}<script type='module'>"
        f"globalThis.done = (async () => {{{script} return performance.now(); }})()"
        f".catch((error) => String(error.stack));</script>"
    )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def guess_type(self, path: Any) -> str:
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)


def _time(site: Path, backend: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from a page's navigation to its first prediction, the two sides in turn."""
    from playwright.sync_api import sync_playwright

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    times: dict[str, list[float]] = {"isomer": [], "tf.min.js": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find_browser().path,
            args=list(chromium.launch_flags(backend)),
            chromium_sandbox=chromium.sandboxed(),
        )
        for _ in range(max(rounds, 3)):
            for side, list_ in times.items():
                context = browser.new_context()
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{server.server_port}/{side}.html")
                found = page.evaluate("() => globalThis.done")
                if isinstance(found, str):
                    raise RuntimeError(f"{side} on {backend}: {found}")
                list_.append(found)
                context.close()
        browser.close()
    server.shutdown()
    server.server_close()
    return times
