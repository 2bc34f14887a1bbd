"""cnn: three small convolutions with batch normalization, then one hidden layer with dropout. At least 99.4 % on MNIST.

Normalizing after the pooling leaves a quarter as many values to normalize as before it. The statistics that inference
uses remember ten batches, not Keras' hundred: an epoch of a small set has fewer.
"""

import keras
import numpy as np
from keras import layers

dataset = "mnist"
batch_size = 128
epochs = 16
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Reshape((28, 28, 1), name="channel")(image)
    for block, filters in enumerate((24, 48, 64), start=1):
        x = layers.Conv2D(filters, 3, use_bias=False, name=f"conv_{block}")(x)
        if block < 3:
            x = layers.MaxPooling2D(2, name=f"pool_{block}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{block}")(x)
        x = layers.ReLU(name=f"relu_{block}")(x)
    x = layers.Flatten(name="features")(x)
    x = layers.Dropout(0.4, name="dropout_1")(x)
    x = layers.Dense(128, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.4, name="dropout_2")(x)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="cnn")


def optimizer(steps_per_epoch):
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps_per_epoch)
    return keras.optimizers.Adam(rate)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=6, restore_best_weights=True)]


def augment(images, random):
    """Shift every image by up to a pixel each way."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
    down, right = random.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), down, right]
