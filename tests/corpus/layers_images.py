"""Preprocessing of images and sound inside the model."""

from __future__ import annotations

from corpus.model import layer, of

MODELS = (
    layer("Rescaling/plain", of(1 / 127.5, offset=-1.0), (6, 5, 3), fast=True),
    layer("Rescaling/per_channel", of([0.1, 0.2, 0.3], offset=[1.0, 2.0, 3.0]), (6, 5, 3)),
    layer("CenterCrop/crop", of(4, 3), (7, 8, 3)),
    layer("CenterCrop/resize", of(8, 9), (7, 6, 3)),
    layer("Resizing/bilinear_up", of(9, 11), (6, 5, 3), fast=True),
    layer("Resizing/bilinear_down", of(4, 3), (9, 8, 3)),
    layer("Resizing/nearest", of(9, 4, interpolation="nearest"), (6, 7, 3)),
    layer("Resizing/bicubic", of(9, 4, interpolation="bicubic"), (6, 7, 3)),
    layer("Resizing/lanczos3", of(9, 4, interpolation="lanczos3"), (6, 7, 3)),
    layer("Resizing/lanczos5", of(9, 12, interpolation="lanczos5"), (6, 7, 3)),
    layer("Resizing/antialias", of(4, 3, antialias=True), (9, 8, 3)),
    layer("Resizing/crop_to_aspect", of(4, 6, crop_to_aspect_ratio=True), (9, 8, 3)),
    layer("Resizing/pad_to_aspect", of(4, 6, pad_to_aspect_ratio=True, fill_value=0.5), (9, 8, 3)),
    layer("Resizing/open", of(6, 7), (None, None, 3)),
    layer("Resizing/open_bicubic", of(6, 7, interpolation="bicubic"), (None, None, 3)),
    layer("Resizing/channels_first", of(9, 4, data_format="channels_first"), (3, 6, 7)),
    layer(
        "Rescaling/uint8",
        of(1 / 255),
        (6, 5, 3),
        dtype="uint8",
        data=lambda r: {"x": r.integers(0, 255, (64, 6, 5, 3)).astype("uint8")},
    ),
    layer(
        "MelSpectrogram/plain",
        of(fft_length=32, num_mel_bins=8, sampling_rate=100, sequence_stride=16, max_freq=50),
        (100,),
    ),
    layer(
        "MelSpectrogram/no_db",
        of(fft_length=32, num_mel_bins=8, sampling_rate=100, sequence_stride=16, max_freq=50, power_to_db=False),
        (100,),
    ),
    layer("STFTSpectrogram/log", of(mode="log", frame_length=16, frame_step=8, fft_length=16), (80, 1)),
    layer("STFTSpectrogram/magnitude", of(mode="magnitude", frame_length=16, frame_step=8, fft_length=32), (80, 1)),
    layer(
        "STFTSpectrogram/stft", of(mode="stft", frame_length=16, frame_step=8, fft_length=16, padding="same"), (80, 1)
    ),
    layer(
        "STFTSpectrogram/real_hamming",
        of(mode="real", frame_length=16, frame_step=8, fft_length=16, window="hamming"),
        (80, 2),
    ),
    layer("STFTSpectrogram/angle", of(mode="angle", frame_length=16, frame_step=8, fft_length=16), (80, 1)),
)
