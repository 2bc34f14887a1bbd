"""TypeScript declarations of a module, with this model's own names and shapes."""

from __future__ import annotations

import json

from pipeline.signature import Signature, TensorSpec
from pipeline.web_bundle.image import Image

_ARRAYS = {"float32": "Float32Array", "int32": "Int32Array", "bool": "Uint8Array"}

_FIXED = """\
export interface Tensor<Type extends string, Data> {
  dtype: Type;
  shape: number[];
  /** Row by row; belongs to whoever asked for it. */
  data: Data;
}

/** The values, or the values with their shape, which must be given where more than one dimension is dynamic. */
export type Given<Data> = Data | ArrayLike<number> | {data: Data | ArrayLike<number>; shape?: readonly number[]};

export interface Model {
  predict(inputs: Inputs): Promise<Outputs>;
  /** What really runs: the backend, its adapter, tensors alive. */
  environment(): {tfjs: string; backend: string; tensors: number; [more: string]: unknown};
  /** Free everything; `predict` then rejects. */
  dispose(): void;
}

/** Fetch the weights beside the module, hold them to their hash, and start the backend. */
export declare function load(options?: {base?: string | URL}): Promise<Model>;

export declare const name: string;
/** Of TF.js, whose kernels the module holds. */
export declare const version: string;
"""

_PIXELS = """
/** An image of any size as the model reads it; see docs/web.md. */
export declare function fromPixels(
    image: {data: ArrayLike<number>; width: number; height: number},
    options?: {range?: readonly [number, number]; invert?: boolean}): {data: Float32Array; shape: number[]};
"""


def declarations(signature: Signature, backend: str, precision: str, image: Image | None) -> str:
    """The text of the module's `.d.mts`.

    Args:
        signature: with the dtypes that TF.js has: float32, int32, bool.
    """
    given = "".join(
        f"  {_described(t)}\n  {json.dumps(t.name)}: Given<{_ARRAYS[t.dtype]}>;\n" for t in signature.inputs
    )
    made = "".join(
        f"  {_described(t)}\n  {json.dumps(t.name)}: Tensor<{json.dumps(t.dtype)}, {_ARRAYS[t.dtype]}>;\n"
        for t in signature.outputs
    )
    facts = "".join(
        f"export declare const {name}: {{{', '.join(_fact(t) for t in tensors)}}};\n"
        for name, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
    )
    return (
        f"// Written by isomer.\n\nexport interface Inputs {{\n{given}}}\n\nexport interface Outputs {{\n{made}}}\n\n"
        f"{_FIXED}{facts}export declare const backend: {json.dumps(backend)};\n"
        f"export declare const precision: {json.dumps(precision)};\n{_PIXELS if image else ''}"
    )


def _described(spec: TensorSpec) -> str:
    sizes = ["batch" if at == 0 and n is None else "any" if n is None else str(n) for at, n in enumerate(spec.shape)]
    return f"/** {spec.dtype} [{', '.join(sizes)}] */"


def _fact(spec: TensorSpec) -> str:
    sizes = ", ".join("null" if n is None else str(n) for n in spec.shape)
    dtype = json.dumps(spec.dtype)
    return f"readonly {json.dumps(spec.name)}: {{readonly dtype: {dtype}, readonly shape: readonly [{sizes}]}}"
