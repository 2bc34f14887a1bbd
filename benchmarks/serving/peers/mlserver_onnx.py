"""MLServer's custom runtime, the Open Inference Protocol."""

import os

import numpy as np
import onnxruntime
from mlserver import MLModel, types


class Onnx(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
        self.name_ = self.session.get_inputs()[0].name
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        given = payload.inputs[0]
        rows = np.asarray(given.data.root, np.float32).reshape(given.shape)
        out = self.session.run(None, {self.name_: rows})[0]
        output = types.ResponseOutput(
            name="output", shape=list(out.shape), datatype="FP32", data=out.reshape(-1).tolist()
        )
        return types.InferenceResponse(model_name=self.name, outputs=[output])
