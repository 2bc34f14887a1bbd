"""softmax: the linear baseline, one weight per pixel and digit. About 92.5 % on MNIST."""

import keras
from keras import layers

dataset = "mnist"
batch_size = 256
epochs = 20
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.Flatten(name="pixels")(image)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="softmax")


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(1e-3)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)]
