#!/bin/sh
# Builds classify_litert and classify_onnxruntime against the libraries in the Python wheels. For another processor:
#   CC=aarch64-linux-gnu-gcc SITE=directory-of-its-wheels OUT=directory ./build.sh
# ONNX Runtime's header is not in its wheel: ORT_INCLUDE names its directory (Debian: libonnxruntime-dev).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CC=${CC:-cc}
SITE=${SITE:-$(python3 -c 'import sysconfig; print(sysconfig.get_path("platlib"))')}
OUT=${OUT:-$here}
ORT_INCLUDE=${ORT_INCLUDE:-/usr/include/onnxruntime}
mkdir -p "$OUT"
flags="-std=c99 -O2 -Wall -Wextra -Werror -I$here"
built=0
if [ -f "$SITE/ai_edge_litert/libLiteRt.so" ]; then
    # The library of another processor needs libraries that this machine has not.
    # shellcheck disable=SC2086
    $CC $flags "$here/classify_litert.c" "$SITE/ai_edge_litert/libLiteRt.so" -lm \
        -Wl,--allow-shlib-undefined -Wl,-rpath,"$SITE/ai_edge_litert" -o "$OUT/classify_litert"
    echo "built $OUT/classify_litert"
    built=1
fi
if [ ! -f "$ORT_INCLUDE/onnxruntime_c_api.h" ]; then
    echo "no onnxruntime_c_api.h in $ORT_INCLUDE: classify_onnxruntime is left out"
elif ls "$SITE"/onnxruntime/capi/libonnxruntime.so.* >/dev/null 2>&1; then
    # The program asks for libonnxruntime.so.1, which the wheel holds under its full version.
    ln -sf "$(ls "$SITE"/onnxruntime/capi/libonnxruntime.so.*.* | tail -n 1)" "$OUT/libonnxruntime.so.1"
    # shellcheck disable=SC2086
    $CC $flags -isystem "$ORT_INCLUDE" "$here/classify_onnxruntime.c" "$OUT/libonnxruntime.so.1" -lm \
        -Wl,--allow-shlib-undefined -Wl,-rpath,"$OUT" -o "$OUT/classify_onnxruntime"
    echo "built $OUT/classify_onnxruntime"
    built=1
fi
[ "$built" = 1 ] || { echo "no wheels in $SITE: pip install ai-edge-litert onnxruntime" >&2; exit 3; }
