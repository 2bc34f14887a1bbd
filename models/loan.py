"""loan: will it be paid back? Years, money and ratios, brought to one scale inside the model.

So whoever calls an exported file gives an age in years and an income as it is: nothing can be scaled twice or never.
"""

import keras
from keras import layers

dataset = "loan"
batch_size = 32
epochs = 40
loss = "binary_crossentropy"
metrics = ["accuracy", keras.metrics.AUC(name="auc")]


def build():
    applicant = keras.Input((5,), name="applicant")
    x = layers.Normalization(name="scale")(applicant)
    x = layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4), name="hidden_1")(x)
    x = layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4), name="hidden_2")(x)
    repaid = layers.Dense(1, activation="sigmoid", name="repaid")(x)
    return keras.Model(applicant, repaid, name="loan")


def adapt(model, samples):
    model.get_layer("scale").adapt(samples)


def optimizer(steps_per_epoch):
    return keras.optimizers.Adam(2e-3)


def callbacks():
    return [keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)]
