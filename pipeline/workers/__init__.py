"""One training by several processes, on this machine or on many, through TensorFlow's MultiWorkerMirroredStrategy.

Keras 3 cannot: `Model.fit` under that strategy fails before its first step
(https://github.com/keras-team/keras/issues/20585). Its layers, optimizers and metrics can, so that only the loop over
batches is ours.
"""
