"""What people write first: FastAPI in front of ONNX Runtime."""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
app = FastAPI()


@app.post("/v1/models/m:predict")
async def predict(request: Request) -> dict[str, object]:
    rows = np.asarray((await request.json())["instances"], np.float32)
    return {"predictions": session.run(None, {name: rows})[0].tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
