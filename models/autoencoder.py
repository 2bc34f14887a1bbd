"""autoencoder: a digit through eight numbers and back; the same eight numbers also tell which digit it is.

Three outputs: the digit's class, the image restored, and the code itself, which nothing trains directly.
"""

import keras
from keras import layers

dataset = "digits"
batch_size = 32
epochs = 40
loss = {"digit": "sparse_categorical_crossentropy", "restored": "binary_crossentropy"}
metrics = {"digit": ["accuracy"], "restored": ["mean_absolute_error"]}


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Flatten(name="pixels")(image)
    x = layers.Dense(128, activation="relu", name="encoder")(x)
    code = layers.Dense(8, name="code")(x)
    digit = layers.Dense(32, activation="relu", name="reader")(code)
    digit = layers.Dense(10, activation="softmax", name="digit")(digit)
    x = layers.Dense(128, activation="relu", name="decoder")(code)
    x = layers.Dense(784, activation="sigmoid", name="painter")(x)
    restored = layers.Reshape((28, 28), name="restored")(x)
    return keras.Model(image, {"digit": digit, "restored": restored, "code": code}, name="autoencoder")


def targets(images, labels):
    return {"digit": labels, "restored": images}


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps_per_epoch))


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)]
