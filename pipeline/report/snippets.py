"""Code that runs an artifact, with its real file and tensor names, for the model card and the HTML report.

Names become string literals of the language, never bare code: they come from model files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.artifact import Artifact
from pipeline.signature import TensorSpec

_ANY_SIZE = 16
"""Stands in for a dynamic dimension other than the batch."""


@dataclass(frozen=True)
class Snippet:
    """How to run one artifact.

    Attributes:
        title: the runtime's name.
        language: for highlighting.
        code: runs from the bundle's directory.
    """

    title: str
    language: str
    code: str


def snippet(artifact: Artifact) -> Snippet | None:
    """The code for an artifact; None for a format that no snippet is known for."""
    write = _WRITERS.get(artifact.format)
    return write(artifact) if write else None


def _shape(spec: TensorSpec) -> list[int]:
    return [(1 if i == 0 else _ANY_SIZE) if n is None else n for i, n in enumerate(spec.shape)]


def _quote(text: str) -> str:
    """A literal that Python and JavaScript both read, on one line."""
    return json.dumps(text)


def _numpy_feed(artifact: Artifact) -> str:
    """The dict of inputs by name, filled with zeros."""
    lines = []
    for spec in artifact.signature.inputs:
        shape = str(tuple(_shape(spec)))
        value = f'np.full({shape}, "text")' if spec.dtype == "string" else f"np.zeros({shape}, {_quote(spec.dtype)})"
        lines.append(f"    {_quote(spec.name)}: {value},")
    return "inputs = {\n" + "\n".join(lines) + "\n}"


def _python_results(artifact: Artifact) -> str:
    return "\n".join(f"print(outputs[{_quote(t.name)}])" for t in artifact.signature.outputs)


def _savedmodel(artifact: Artifact) -> Snippet:
    # A SavedModel is its directory, whether the certificate names that or the file in it.
    directory = artifact.path.removesuffix("saved_model.pb").rstrip("/") or "."
    code = f"""import numpy as np
import tensorflow as tf

model = tf.saved_model.load({_quote(directory)})
serve = model.signatures[{_quote(artifact.signature.name)}]
{_numpy_feed(artifact)}
outputs = serve(**{{name: tf.constant(value) for name, value in inputs.items()}})
{_python_results(artifact)}"""
    return Snippet("TensorFlow", "python", code)


def _tflite(artifact: Artifact) -> Snippet:
    library = "from ai_edge_litert.interpreter import Interpreter\n"
    if artifact.flex:
        # No newer package has the delegate.
        library = "import tensorflow as tf  # 2.18: it has the Flex delegate\n\nInterpreter = tf.lite.Interpreter"
    code = f"""import numpy as np
{library}
interpreter = Interpreter(model_path={_quote(artifact.path)})
serve = interpreter.get_signature_runner({_quote(artifact.signature.name)})
{_numpy_feed(artifact)}
outputs = serve(**inputs)
{_python_results(artifact)}"""
    return Snippet("TensorFlow Lite and Flex" if artifact.flex else "LiteRT", "python", code)


def _onnx(artifact: Artifact) -> Snippet:
    names = ", ".join(_quote(t.name) for t in artifact.signature.outputs)
    code = f"""import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession({_quote(artifact.path)}, providers=["CPUExecutionProvider"])
{_numpy_feed(artifact)}
names = [{names}]
outputs = dict(zip(names, session.run(names, inputs)))
{_python_results(artifact)}"""
    return Snippet("ONNX Runtime", "python", code)


_TFJS_DTYPES = {"float32": "float32", "float16": "float32", "float64": "float32", "bool": "bool", "string": "string"}


def _tfjs(artifact: Artifact) -> Snippet:
    url = artifact.path if artifact.path.endswith(".json") else f"{artifact.path.rstrip('/')}/model.json"
    feeds = []
    for spec in artifact.signature.inputs:
        dtype, shape = _TFJS_DTYPES.get(spec.dtype, "int32"), _shape(spec)
        value = f'tf.fill({shape}, "text", "string")' if dtype == "string" else f"tf.zeros({shape}, {_quote(dtype)})"
        feeds.append(f"  {_quote(spec.name)}: {value},")
    names = ", ".join(_quote(t.name) for t in artifact.signature.outputs)
    # executeAsync returns the tensor itself for one name, an array for several.
    single = len(artifact.signature.outputs) == 1
    show = "output.print();" if single else "outputs.forEach((output) => output.print());"
    code = f"""import * as tf from "@tensorflow/tfjs";

const model = await tf.loadGraphModel({_quote(url)});
const inputs = {{
{chr(10).join(feeds)}
}};
const {"output" if single else "outputs"} = await model.executeAsync(inputs, [{names}]);
{show}"""
    return Snippet("TensorFlow.js", "javascript", code)


_ARRAYS = {"float32": "Float32Array", "bool": "Uint8Array"}


def _web(artifact: Artifact) -> Snippet:
    feeds = []
    for spec in artifact.signature.inputs:
        shape = _shape(spec)
        array = _ARRAYS.get(_TFJS_DTYPES.get(spec.dtype, "int32"), "Int32Array")
        feeds.append(f"  {_quote(spec.name)}: {{data: new {array}({math.prod(shape)}), shape: {shape}}},")
    show = "\n".join(f"console.log(outputs[{_quote(t.name)}].data);" for t in artifact.signature.outputs)
    code = f"""import {{load}} from {_quote("./" + artifact.path)};

const model = await load();
const outputs = await model.predict({{
{chr(10).join(feeds)}
}});
{show}"""
    return Snippet("a module of its own", "javascript", code)


_WRITERS: dict[str, Callable[[Artifact], Snippet]] = {
    "savedmodel": _savedmodel,
    "tflite": _tflite,
    "onnx": _onnx,
    "tfjs": _tfjs,
    "web": _web,
}
