"""perceptron: one neuron on XOR. It is there to fail: no straight line parts the corners of a square by XOR."""

import keras
from keras import layers

dataset = "xor"
batch_size = 32
epochs = 20
loss = "binary_crossentropy"
metrics = ["accuracy"]


def build():
    point = keras.Input((2,), name="point")
    chance = layers.Dense(1, activation="sigmoid", name="chance")(point)
    return keras.Model(point, chance, name="perceptron")


def optimizer(steps_per_epoch):
    return keras.optimizers.SGD(0.1)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)]
