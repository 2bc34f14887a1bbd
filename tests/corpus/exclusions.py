"""What the corpus leaves out, each with its reason."""

from __future__ import annotations

# Public classes of keras.layers.
LAYERS = {
    "FlaxLayer": "It runs under Keras' JAX backend only; isomer captures with TensorFlow's.",
    "InputLayer": "It is the first layer of every model here.",
    "InputSpec": "It describes a layer's input and is no layer.",
    "JaxLayer": "It runs under Keras' JAX backend only; isomer captures with TensorFlow's.",
    "Layer": "It is the base class; layers that derive from it are in the topologies.",
    "TorchModuleWrapper": "It runs under Keras' PyTorch backend only; isomer captures with TensorFlow's.",
    "Wrapper": "It is the base class of wrappers and computes nothing itself.",
}

# Modules of keras.applications.
APPLICATIONS = {
    "imagenet_utils": "It holds functions, no models.",
    "resnet50": "It is another name of a part of `resnet`.",
    "vgg19": "It is VGG16 with three more convolutions of the same kind.",
}
