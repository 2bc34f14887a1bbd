"""KServe's own SDK, its V1 protocol."""

import sys

import kserve
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


class Onnx(kserve.Model):
    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        rows = np.asarray(payload["instances"], np.float32)
        return {"predictions": session.run(None, {name: rows})[0].tolist()}


server = kserve.ModelServer(
    http_port=int(sys.argv[2]), enable_grpc=False, workers=1, access_log_format=None, enable_docs_url=False
)
server.start([Onnx()])
