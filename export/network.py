"""The networks that ship: a backbone with normalising inside, heads on its block statistics or its pooled output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers, ops

from export.backbones import Built, build_backbone
from export.network_config import HeadForm, NetworkConfig
from scanner.errors import UsageError


@dataclass(frozen=True, slots=True)
class Network:
    """The model and the parts that training treats apart."""

    model: keras.Model
    """image uint8 [N, S, S, 3] (and group int32 [N] where there are several groups) -> logit float32 [N]."""
    backbone: keras.Model
    blocks: tuple[str, ...]
    config: NetworkConfig
    heads: tuple[keras.Model, ...] = field(default=())
    """One for each group: features float32 [N, C] -> logit float32 [N, 1]."""
    maps: tuple[keras.KerasTensor, ...] = field(default=())
    """What the features are the statistics of, inside `model`: float32 [N, h, w, c] of each chosen block."""


@keras.saving.register_keras_serializable("dfscan")
class Standardise(layers.Layer):
    """Subtracts a stored mean and divides by a stored deviation, feature by feature; never trained."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the two constants (0 and 1 until they are set)."""
        width = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=width, initializer="zeros", trainable=False)
        self.deviation = self.add_weight(name="deviation", shape=width, initializer="ones", trainable=False)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """float32 [N, C] -> float32 [N, C]."""
        return (inputs - self.mean) / self.deviation


def build_network(config: NetworkConfig, *, weights: str = "none") -> Network:
    """The whole network; `weights` is for the backbone alone (see `build_backbone`)."""
    built = build_backbone(config.backbone, alpha=config.alpha, weights=weights)
    image = keras.Input((config.size, config.size, 3), dtype="uint8", name="image")
    features, maps = _features(built, config, image)
    heads = tuple(build_head(config, int(features.shape[-1]), f"head{g}") for g in range(config.groups))
    if config.groups == 1:
        logit = ops.reshape(heads[0](features), (-1,))
        return Network(_named(image, logit), built.model, built.blocks, config, heads, maps)
    group = keras.Input((), dtype="int32", name="group")
    every = ops.concatenate([head(features) for head in heads], axis=-1)
    chosen = ops.cast(ops.equal(ops.expand_dims(group, -1), ops.arange(config.groups, dtype="int32")), "float32")
    logit = ops.sum(every * chosen, axis=-1)
    return Network(_named([image, group], logit), built.model, built.blocks, config, heads, maps)


def _named(inputs: Any, logit: keras.KerasTensor) -> keras.Model:
    """A model whose output is called `logit`."""
    return keras.Model(inputs, layers.Identity(name="logit", dtype="float32")(logit))


def build_head(config: NetworkConfig, width: int, name: str) -> keras.Model:
    """One group's head: float32 [N, width] -> [N, 1]."""
    inputs = x = keras.Input((width,))
    if config.head is HeadForm.STATISTICS:
        x = Standardise(name="standardise")(x)
        x = layers.Dense(config.hidden, activation="relu", name="hidden")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Dense(1, name="logit")(x)
    return keras.Model(inputs, x, name=name)


def build_extractor(config: NetworkConfig, *, weights: str = "none") -> keras.Model:
    """The frozen part alone: image uint8 [N, S, S, 3] -> float32 [N, C], what a head reads."""
    built = build_backbone(config.backbone, alpha=config.alpha, weights=weights)
    image = keras.Input((config.size, config.size, 3), dtype="uint8", name="image")
    return keras.Model(image, _features(built, config, image)[0])


def extractor_of(network: Network) -> keras.Model:
    """The frozen part of a network, sharing its weights."""
    features = network.model.get_layer("features").output
    return keras.Model(network.model.inputs[0], features)


def frozen_identity(network: Network) -> str:
    """Hash of everything that decides what `extractor_of` gives: the backbone, its weights, what is read of it."""
    config = network.config
    form = [config.backbone.value, config.alpha, config.head.value, list(config.blocks), config.size]
    found = hashlib.sha256(json.dumps(form).encode())
    for weight in network.backbone.get_weights():
        found.update(weight.tobytes())
    return found.hexdigest()


def statistics_columns(config: NetworkConfig) -> list[tuple[int, int, int]]:
    """For each chosen block (block, first column, one past the last): its means, then its deviations."""
    built = build_backbone(config.backbone, alpha=config.alpha)
    columns = []
    start = 0
    for block in config.blocks:
        width = 2 * int(built.model.get_layer(built.blocks[block]).output.shape[-1])
        columns.append((block, start, start + width))
        start += width
    return columns


def _features(
    built: Built, config: NetworkConfig, image: keras.KerasTensor
) -> tuple[keras.KerasTensor, tuple[keras.KerasTensor, ...]]:
    """float32 [N, C], what the heads read, and what it is made of."""
    x = layers.Rescaling(scale=built.scale, offset=built.offset, name="normalise")(image)
    if built.bgr:
        x = ops.take(x, [2, 1, 0], axis=-1)
    if config.head is HeadForm.POOLED:
        last = built.model(x)
        return layers.GlobalAveragePooling2D(name="features", dtype="float32")(last), (last,)
    if outside := [b for b in config.blocks if not 0 <= b < len(built.blocks)]:
        raise UsageError(f"{config.backbone} has blocks 0 to {len(built.blocks) - 1}, not {outside[0]}")
    taps = keras.Model(built.model.input, [built.model.get_layer(built.blocks[b]).output for b in config.blocks])
    taps.name = "taps"
    outputs = taps(x)
    maps = tuple(outputs) if isinstance(outputs, Sequence) else (outputs,)
    parts: list[keras.KerasTensor] = []
    for output in maps:
        parts += _statistics(output)
    return layers.Concatenate(name="features", dtype="float32")(parts), maps


def _statistics(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Mean and deviation over space of [N, h, w, C], each [N, C]."""
    mean = ops.mean(x, axis=(1, 2), keepdims=True)
    # In two passes: E[x²]-E[x]² cancels in float32. The small constant keeps the root's gradient finite.
    variance = ops.mean(ops.square(x - mean), axis=(1, 2))
    return [ops.squeeze(mean, axis=(1, 2)), ops.sqrt(variance + 1e-8)]
