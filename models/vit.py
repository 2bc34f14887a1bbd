"""vit: a tiny vision transformer on sixteen 7x7 patches. At least 98.5 % on MNIST.

The exact GELU (with erf), LayerNormalization and MultiHeadAttention are here on purpose: they are what converters
stumble over.
"""

import keras
import numpy as np
from keras import layers

dataset = "mnist"
batch_size = 128
epochs = 14
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]

width, heads, depth = 64, 4, 2


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Reshape((4, 7, 4, 7), name="cut")(image)
    x = layers.Permute((1, 3, 2, 4), name="order")(x)
    x = layers.Reshape((16, 49), name="patches")(x)
    # One bias for each patch, not one for all: that is the learned position embedding.
    x = layers.EinsumDense("btp,pd->btd", output_shape=(16, width), bias_axes="td", name="embed")(x)
    for block in range(1, depth + 1):
        y = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{block}a")(x)
        y = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{block}")(y, y)
        x = layers.Add(name=f"add_{block}a")([x, y])
        y = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{block}b")(x)
        y = layers.Dense(2 * width, name=f"expand_{block}")(y)
        y = layers.Activation("gelu", name=f"gelu_{block}")(y)
        y = layers.Dense(width, name=f"contract_{block}")(y)
        x = layers.Add(name=f"add_{block}b")([x, y])
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = layers.Flatten(name="features")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="vit")


def optimizer(steps_per_epoch):
    steps = epochs * steps_per_epoch
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps_per_epoch, warmup_target=2e-3, warmup_steps=steps_per_epoch
    )
    return keras.optimizers.AdamW(rate, weight_decay=0.01)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)]


def augment(images, random):
    """Shift every image by up to a pixel each way."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
    down, right = random.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), down, right]
