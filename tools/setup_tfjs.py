"""Keep TF.js' own `tf.min.js`, which web bundles are compared with: one file out of a package of 147 MB.

Run by `make setup`. Its sizes as servers send it are kept beside it, as compressing it takes seconds. Where the package
cannot be had, reports say that there was nothing to compare with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pipeline.errors import RuntimeUnavailable
from pipeline.runtimes.node import find_modules, find_node
from pipeline.web_bundle.stock import BINARY, DIRECTORY, SCRIPT, SIZES, VERSION, WASM_SCRIPT

_PACKAGE = f"@tensorflow/tfjs@{VERSION}"
_INTEGRITY = "sha512-0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg=="
_COMPRESS = """
const fs = require('fs'), zlib = require('zlib');
const best = {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 11}};
console.log(JSON.stringify(Object.fromEntries(process.argv.slice(1).map((file) => {
  const bytes = fs.readFileSync(file), gzip = zlib.gzipSync(bytes, {level: 9});
  const sizes = {raw: bytes.length, gzip: gzip.length, brotli: zlib.brotliCompressSync(bytes, best).length};
  return [require('path').basename(file), sizes];
}))));
"""


def main() -> int:
    """Fetch, check, and put in place; returns the exit code, which is 0 also where there is nothing to be had."""
    if (DIRECTORY / SIZES).is_file():
        return 0
    try:
        with tempfile.TemporaryDirectory() as scratch:
            _install(Path(scratch))
    except (OSError, subprocess.SubprocessError, KeyError, ValueError, tarfile.TarError, RuntimeUnavailable) as error:
        print(f"warning: {_PACKAGE} cannot be had, so web bundles are compared with nothing: {error}", file=sys.stderr)
    return 0


def _install(scratch: Path) -> None:
    node, wasm = find_node(), find_modules("@tensorflow/tfjs-backend-wasm") / "@tensorflow/tfjs-backend-wasm/dist"
    subprocess.run([*_npm(node.path), "pack", "--silent", _PACKAGE], cwd=scratch, capture_output=True, check=True)
    (package,) = scratch.glob("*.tgz")
    digest = f"sha512-{base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()}"
    if digest != _INTEGRITY:
        raise ValueError(f"it is not the file that it was: {digest}")
    new = scratch / "new"
    new.mkdir()
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"package/dist/{SCRIPT}")
        assert member is not None
        (new / SCRIPT).write_bytes(member.read())
    for name in (WASM_SCRIPT, BINARY):
        shutil.copyfile(wasm / name, new / name)
    files = [new / name for name in (SCRIPT, WASM_SCRIPT, BINARY)]
    done = subprocess.run([node.path, "-e", _COMPRESS, *files], capture_output=True, text=True, check=True)
    (new / SIZES).write_text(json.dumps(json.loads(done.stdout), indent=1) + "\n")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, DIRECTORY)


def _npm(node: Path) -> list[str | Path]:
    """npm's command: the system's, else the one beside Node.js' wheel."""
    if found := shutil.which("npm"):
        return [found]
    return [node, next(node.parents[1].rglob("npm-cli.js"))]


if __name__ == "__main__":
    sys.exit(main())
