"""mlp: the textbook net, 784-256-128-10 with ReLU and dropout. At least 98.6 % on MNIST within 20 epochs.

With these settings and the digits as they are it stops at 98.1 %; shifting them by a pixel at random brings the rest.
"""

import keras
import numpy as np
from keras import layers

dataset = "mnist"
batch_size = 128
epochs = 20
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Flatten(name="pixels")(image)
    x = layers.Dense(256, activation="relu", name="hidden_1")(x)
    x = layers.Dropout(0.2, name="dropout_1")(x)
    x = layers.Dense(128, activation="relu", name="hidden_2")(x)
    x = layers.Dropout(0.2, name="dropout_2")(x)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="mlp")


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, epochs * steps_per_epoch))


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)]


def augment(images, random):
    """Shift every image by up to a pixel each way."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
    down, right = random.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), down, right]
