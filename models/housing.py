"""housing: a price from area, rooms, age and distance. Regression: a linear output, squared error, scaled inside."""

import keras
from keras import layers

dataset = "housing"
batch_size = 32
epochs = 60
loss = "mean_squared_error"
metrics = ["mean_absolute_error"]


def build():
    house = keras.Input((4,), name="house")
    x = layers.Normalization(name="scale")(house)
    x = layers.Dense(64, activation="relu", name="hidden_1")(x)
    x = layers.Dense(32, activation="relu", name="hidden_2")(x)
    price = layers.Dense(1, name="price")(x)
    return keras.Model(house, price, name="housing")


def adapt(model, samples):
    model.get_layer("scale").adapt(samples)


def optimizer(steps_per_epoch):
    rate = keras.optimizers.schedules.ExponentialDecay(5e-3, steps_per_epoch, 0.95)
    return keras.optimizers.Adam(rate, clipnorm=5.0)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True)]
