"""spirals: three intertwined arms. Logistic regression gets half of them right, two hidden layers about 98 %."""

import keras
from keras import layers

dataset = "spirals"
batch_size = 32
epochs = 60
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]

rate, width = 1e-2, 64
ranges = {"rate": (1e-3, 1e-1, "log"), "width": (16, 128)}  # what `isomer tune` may try


def build():
    point = keras.Input((2,), name="point")
    x = layers.Dense(width, activation="relu", kernel_initializer="he_normal", name="hidden_1")(point)
    x = layers.Dense(width, activation="relu", kernel_initializer="he_normal", name="hidden_2")(x)
    probabilities = layers.Dense(3, activation="softmax", name="probabilities")(x)
    return keras.Model(point, probabilities, name="spirals")


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs * steps_per_epoch))


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=15, restore_best_weights=True)]
