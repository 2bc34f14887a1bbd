"""gru: reads scikit-learn's small digits row by row, as the lstm reads MNIST's."""

import keras
from keras import layers

dataset = "digits"
batch_size = 32
epochs = 25
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    image = keras.Input((28, 28), name="image")
    x = layers.GRU(48, name="rows")(image)
    x = layers.Dropout(0.2, name="dropout")(x)
    probabilities = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="gru")


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, epochs * steps_per_epoch), clipnorm=1.0)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=6, restore_best_weights=True)]
