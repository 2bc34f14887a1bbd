"""rings: a ring inside a ring. A straight line gets half of them right, sixteen neurons all but the noise."""

import keras
from keras import layers

dataset = "rings"
batch_size = 32
epochs = 40
loss = "binary_crossentropy"
metrics = ["accuracy"]


def build():
    point = keras.Input((2,), name="point")
    x = layers.Dense(16, activation="relu", kernel_initializer="he_normal", name="hidden_1")(point)
    x = layers.Dense(16, activation="relu", kernel_initializer="he_normal", name="hidden_2")(x)
    inner = layers.Dense(1, activation="sigmoid", name="inner")(x)
    return keras.Model(point, inner, name="rings")


def optimizer(steps_per_epoch):
    return keras.optimizers.RMSprop(5e-3)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)]
