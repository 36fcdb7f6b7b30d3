"""EfficientNet-Lite in Keras: MBConv blocks without squeeze-and-excitation, ReLU6, fixed stem and head."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
from keras import layers

STEM = 32
HEAD = 1280
EPSILON = 1e-3
"""Of every batch norm, as in the TensorFlow original."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of MBConv blocks: the first has the stride, all have the kernel and the expansion."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Width and depth coefficients by variant."""


@dataclass(frozen=True, slots=True)
class Block:
    """One MBConv block after scaling."""

    kernel: int
    stride: int
    expand: int
    filters: int


def blocks(variant: int = 0) -> list[Block]:
    """The MBConv blocks of a variant in order; first and last stage are not deepened."""
    width, depth = SCALES[variant]
    found = []
    for index, stage in enumerate(STAGES):
        ends = index in (0, len(STAGES) - 1)
        repeats = stage.repeats if ends else math.ceil(depth * stage.repeats)
        filters = _rounded(stage.filters * width)
        found += [Block(stage.kernel, stage.stride if i == 0 else 1, stage.expand, filters) for i in range(repeats)]
    return found


def _rounded(filters: float, divisor: int = 8) -> int:
    """Filters rounded to a multiple of 8, by no more than 10 % downwards."""
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def build(variant: int = 0, name: str = "efficientnet-lite0") -> keras.Model:
    """The network without its classifier: float [N, H, W, 3] -> [N, h, w, 1280].

    Block i ends in the layer `block{i}_out`. Input is (x - 127) / 128 of uint8 pixels; padding is TensorFlow's SAME.
    """
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = layers.BatchNormalization(epsilon=EPSILON, name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    channels = STEM
    for index, block in enumerate(blocks(variant)):
        x = _mbconv(x, block, channels, f"block{index}")
        channels = block.filters
    x = layers.Conv2D(HEAD, 1, use_bias=False, name="head_conv")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name="head_bn")(x)
    x = layers.ReLU(6.0, name="head_relu")(x)
    return keras.Model(inputs, x, name=name)


def _mbconv(x: keras.KerasTensor, block: Block, channels: int, name: str) -> keras.KerasTensor:
    """Expand, depthwise, project; added to the input where the shapes agree."""
    skip = x
    if block.expand != 1:
        x = layers.Conv2D(channels * block.expand, 1, use_bias=False, name=f"{name}_expand")(x)
        x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_expand_bn")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(
        block.kernel, strides=block.stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(block.filters, 1, use_bias=False, name=f"{name}_project")(x)
    last = "project_bn" if block.stride == 1 and channels == block.filters else "out"
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_{last}")(x)
    if last == "out":
        return x
    return layers.Add(name=f"{name}_out")([x, skip])
