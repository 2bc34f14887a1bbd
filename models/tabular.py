"""tabular: the textbook classifier of columns, 10-64-32-2 with ReLU, dropout and AdamW."""

import keras
from keras import layers

dataset = "tabular"
batch_size = 32
epochs = 50
loss = "sparse_categorical_crossentropy"
metrics = ["accuracy"]


def build():
    columns = keras.Input((10,), name="columns")
    x = layers.Dense(64, activation="relu", name="hidden_1")(columns)
    x = layers.Dropout(0.3, name="dropout_1")(x)
    x = layers.Dense(32, activation="relu", name="hidden_2")(x)
    x = layers.Dropout(0.3, name="dropout_2")(x)
    probabilities = layers.Dense(2, activation="softmax", name="probabilities")(x)
    return keras.Model(columns, probabilities, name="tabular")


def optimizer(steps_per_epoch):
    return keras.optimizers.AdamW(1e-3, weight_decay=0.01)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_accuracy", patience=5, restore_best_weights=True)]
