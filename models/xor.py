"""xor: a hidden layer of eight neurons solves what the perceptron cannot. At least 99.9 %."""

import keras
from keras import layers

dataset = "xor"
batch_size = 32
epochs = 40
loss = "binary_crossentropy"
metrics = ["accuracy"]


def build():
    point = keras.Input((2,), name="point")
    x = layers.Dense(8, activation="tanh", name="hidden")(point)
    chance = layers.Dense(1, activation="sigmoid", name="chance")(x)
    return keras.Model(point, chance, name="xor")


def optimizer(steps_per_epoch):
    return keras.optimizers.SGD(0.3, momentum=0.9)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)]
