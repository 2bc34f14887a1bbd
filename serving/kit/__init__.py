"""The device kit's sources: what `isomer kit` copies beside the models, to be run where they will be used."""
