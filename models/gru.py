"""gru: sine, square or sawtooth? Reads 48 noisy values in turn. A linear model cannot tell: the phase is free."""

import keras
from keras import layers

dataset = "waves"
batch_size = 32
epochs = 25
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    wave = keras.Input((48, 1), name="wave")
    x = layers.GRU(32, name="reader")(wave)
    x = layers.Dropout(0.2, name="dropout")(x)
    probabilities = layers.Dense(3, activation="softmax", name="probabilities")(x)
    return keras.Model(wave, probabilities, name="gru")


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, epochs * steps_per_epoch), clipnorm=1.0)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)]
