"""Families of KerasHub as tiny networks with random weights: text, speech and vision backbones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from corpus.applications import calibrate
from corpus.model import Data, Model, Random, Tensors, settle

_WORDS = 40
_LENGTH = 8
_ROWS = 24
_IMAGE = (32, 32, 3)

_ENCODER = {"vocabulary_size": _WORDS, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
_DECODER = {
    "vocabulary_size": _WORDS,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
}
_SHORT = {"max_sequence_length": 16}

# Family: its backbone's options.
_TEXT: dict[str, dict[str, Any]] = {
    "Albert": {**_ENCODER, **_SHORT, "embedding_dim": 6},
    "Bert": {**_ENCODER, **_SHORT},
    "Bloom": _ENCODER,
    "DebertaV3": {**_ENCODER, **_SHORT, "bucket_size": 4},
    "DistilBert": {**_ENCODER, **_SHORT},
    "ESM": {**_ENCODER, **_SHORT},
    "Electra": {
        **{k: v for k, v in _ENCODER.items() if k != "vocabulary_size"},
        **_SHORT,
        "vocab_size": _WORDS,
        "embedding_dim": 6,
    },
    "FNet": {**{k: v for k, v in _ENCODER.items() if k != "num_heads"}, **_SHORT},
    "Falcon": {**{k: v for k, v in _ENCODER.items() if k != "num_heads"}, "num_attention_heads": 2},
    "GPT2": {**_ENCODER, **_SHORT},
    "GPTNeoX": {**_ENCODER, **_SHORT, "rotary_percentage": 0.5},
    "Gemma": {**_DECODER, "head_dim": 4},
    "Gemma3": {**_DECODER, "head_dim": 4, "image_size": 16, "vision_encoder": None},
    "GptOss": {**_DECODER, "num_experts": 3},
    "Llama": _DECODER,
    "Llama3": _DECODER,
    "Mistral": {**_DECODER, "sliding_window": 4},
    "Mixtral": {**_DECODER, "num_experts": 3},
    "OPT": {**_ENCODER, **_SHORT},
    "Phi3": _DECODER,
    "Qwen": _DECODER,
    "Qwen3": {**_DECODER, "head_dim": 4},
    "Roberta": {**_ENCODER, **_SHORT},
    "RoformerV2": {**_ENCODER, "head_size": 4},
    "XLMRoberta": {**_ENCODER, **_SHORT},
    "XLNet": _ENCODER,
}
_RWKV = {
    "hidden_size": 8,
    "head_size": 4,
    "num_layers": 1,
    "vocabulary_size": _WORDS,
    "intermediate_dim": 16,
    "gate_lora": 4,
    "mv_lora": 4,
    "aaa_lora": 4,
    "decay_lora": 4,
}
_PAIRS: dict[str, dict[str, Any]] = {
    "Bart": {**_ENCODER, **_SHORT},
    "T5": {**_ENCODER, "use_gated_activation": True},
}


def _backbone(family: str, options: dict[str, Any]) -> keras.Model:
    import keras_hub

    return settle(getattr(keras_hub.models, f"{family}Backbone")(**options))


def _of_fixed_length(family: str, options: dict[str, Any]) -> keras.Model:
    """A backbone that unrolls a loop over the sequence in Python, which a length that is open does not allow."""
    inner = _backbone(family, options)
    inputs = {t.name: keras.Input((_LENGTH,), dtype=t.dtype, name=t.name) for t in inner.inputs}
    return keras.Model(inputs, inner(inputs))


def _sentences(random: Random, prefix: str = "") -> Tensors:
    """Sentences of different lengths, as a tokenizer pads them."""
    lengths = random.integers(3, _LENGTH, (_ROWS, 1), endpoint=True)
    mask = np.arange(_LENGTH)[None] < lengths
    ids = np.where(mask, random.integers(1, _WORDS, (_ROWS, _LENGTH)), 0)
    return {f"{prefix}token_ids": ids, f"{prefix}padding_mask": mask}


def _one(random: Random) -> Tensors:
    tensors = _sentences(random)
    segments = (np.arange(_LENGTH)[None] >= 4) & tensors["padding_mask"]
    return {**tensors, "segment_ids": segments}


def _pair(random: Random) -> Tensors:
    return {**_sentences(random, "encoder_"), **_sentences(random, "decoder_")}


def _speech(random: Random) -> Tensors:
    spectrum = np.cumsum(random.normal(size=(_ROWS, 12, 10)), axis=1)
    return {"encoder_features": spectrum / 4, **_sentences(random, "decoder_")}


def _vision(family: str, options: dict[str, Any], data: Data | None = None) -> Model:
    def build() -> keras.Model:
        return calibrate(_backbone(family, options), _IMAGE[0])

    return Model(f"hub/{family}/tiny", build, data, rows=16)


_VIT = {"image_shape": _IMAGE, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 8}
_RESNET = {
    "input_conv_filters": [8],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128],
    "stackwise_num_blocks": [1, 1],
    "stackwise_num_strides": [1, 2],
    "image_shape": _IMAGE,
}
_MIT = {
    "layerwise_depths": [1, 1],
    "num_layers": 2,
    "layerwise_num_heads": [1, 2],
    "layerwise_sr_ratios": [2, 1],
    "max_drop_path_rate": 0.1,
    "layerwise_patch_sizes": [7, 3],
    "layerwise_strides": [4, 2],
    "image_shape": _IMAGE,
    "hidden_dims": [8, 16],
}
_CSP = {
    "stem_filters": 8,
    "stem_kernel_size": 3,
    "stem_strides": 2,
    "stackwise_depth": [1, 1],
    "stackwise_strides": [2, 2],
    "stackwise_num_filters": [8, 16],
    "stage_type": "dark",
    "block_type": "dark_block",
    "image_shape": _IMAGE,
}


def _images_and_words() -> keras.Model:
    import keras_hub

    hub = keras_hub.models
    vision = hub.CLIPVisionEncoder(
        patch_size=8, hidden_dim=8, num_layers=1, num_heads=2, intermediate_dim=16, image_shape=_IMAGE
    )
    text = hub.CLIPTextEncoder(
        vocabulary_size=_WORDS,
        embedding_dim=8,
        hidden_dim=8,
        num_layers=1,
        num_heads=2,
        intermediate_dim=16,
        max_sequence_length=_LENGTH,
    )
    return settle(hub.CLIPBackbone(vision, text, projection_dim=6))


def _text(family: str, options: dict[str, Any], data: Data = _one) -> Model:
    return Model(f"hub/{family}/tiny", lambda: _backbone(family, options), data)


_SPEECH: dict[str, Callable[[], keras.Model]] = {
    "Whisper": lambda: _backbone(
        "Whisper", {**_ENCODER, "num_mels": 10, "max_encoder_sequence_length": 12, "max_decoder_sequence_length": 16}
    ),
}

MODELS = (
    *(_text(family, options) for family, options in _TEXT.items()),
    Model("hub/RWKV7/tiny", lambda: _of_fixed_length("RWKV7", _RWKV), _one),
    *(_text(family, options, _pair) for family, options in _PAIRS.items()),
    *(Model(f"hub/{family}/tiny", build, _speech) for family, build in _SPEECH.items()),
    _vision("ViT", {**_VIT, "mlp_dim": 16}),
    _vision("DeiT", {**_VIT, "intermediate_dim": 16}),
    _vision("DINOV2", {**_VIT, "intermediate_dim": 16, "position_embedding_shape": _IMAGE}),
    _vision("MiT", _MIT),
    _vision("ResNet", {**_RESNET, "block_type": "bottleneck_block"}),
    _vision("DenseNet", {"stackwise_num_repeats": [2, 2], "growth_rate": 4, "image_shape": _IMAGE}),
    _vision("CSPNet", _CSP),
    _vision("VGG", {"stackwise_num_repeats": [1, 1], "stackwise_num_filters": [4, 8], "image_shape": _IMAGE}),
    _vision(
        "Xception",
        {"stackwise_conv_filters": [[8, 8], [16, 16]], "stackwise_pooling": [True, False], "image_shape": _IMAGE},
    ),
    _vision(
        "SwinTransformer",
        {
            "image_shape": _IMAGE,
            "embed_dim": 8,
            "depths": [2, 2],
            "num_heads": [2, 2],
            "window_size": 4,
            "drop_path": 0.0,
        },
    ),
    _vision(
        "ViTDet",
        {
            "hidden_size": 8,
            "num_layers": 2,
            "intermediate_dim": 16,
            "num_heads": 2,
            "global_attention_layer_indices": [1],
            "image_shape": _IMAGE,
            "patch_size": 8,
            "num_output_channels": 8,
            "window_size": 2,
        },
    ),
    Model("hub/CLIP/tiny", _images_and_words),
)
