"""The coverage run: every model of the corpus through isomer and through the stock converters, model by model."""
