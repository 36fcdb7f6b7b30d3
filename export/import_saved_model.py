"""Weights of a TensorFlow SavedModel, as Kaggle Models and TF Hub hand them out, for a keras.applications network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.network_config import Backbone
from scanner.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KINDS = {"weights": "kernel", "depthwise_weights": "kernel", "depthwise_kernel": "kernel", "biases": "bias"}
"""Names of the same thing: TF-Slim's and old Keras' on the left."""


def import_saved_model(folder: Path, out: Path, backbone: Backbone, alpha: float = 1.0) -> None:
    """Write the .weights.h5 of a backbone from the variables of a SavedModel of the same network.

    Variables are found by name: those of keras.applications (`block_1_expand/kernel`) or, for MobileNetV2, of TF-Slim
    (`MobilenetV2/expanded_conv_1/expand/weights`); the SavedModel's own classifier is left out.
    Raises UsageError where the folder is no SavedModel, or lacks a weight, or has it in another shape.
    """
    from export.backbones import build_backbone

    arrays = read_saved_model(folder)
    model = build_backbone(backbone, alpha=alpha).model
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            if weight.path.endswith("seed_generator_state"):
                continue
            value = _found(arrays, layer.name, weight.name)
            if value is None:
                raise UsageError(f"{folder} is not {backbone}: it has no weight for {layer.name}/{weight.name}")
            if value.shape != tuple(weight.shape):
                raise UsageError(
                    f"{folder} is not {backbone} of this width: {layer.name}/{weight.name} is "
                    f"{value.shape}, not {tuple(weight.shape)}"
                )
            values.append(value)
        if values:
            layer.set_weights(values)
    model.save_weights(out)


def read_saved_model(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The variables of a SavedModel by `layer/kind`, the last two parts of their names in Keras' words."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UsageError(f"{folder} is no SavedModel: {str(error).strip().splitlines()[0]}") from error
    variables: list[Any] = list(getattr(loaded, "variables", []))
    for function in loaded.signatures.values():
        variables += function.variables
    return {_key(variable.name): variable.numpy() for variable in variables}


def _key(name: str) -> str:
    """`model/Conv1/kernel:0` -> `Conv1/kernel`; TF-Slim's scopes of MobileNetV2 as keras.applications names them."""
    *scopes, kind = name.split(":")[0].split("/")
    kind = _KINDS.get(kind, kind)
    if "MobilenetV2" in scopes:
        scopes = [_slim_layer(scopes[scopes.index("MobilenetV2") + 1 :])]
    return f"{scopes[-1] if scopes else ''}/{kind}"


def _slim_layer(scopes: list[str]) -> str:
    """`expanded_conv_3/expand/BatchNorm` -> `block_3_expand_BN`."""
    norm = scopes[-1] == "BatchNorm"
    names = scopes[:-1] if norm else scopes
    if names == ["Conv"]:
        return "bn_Conv1" if norm else "Conv1"
    if names == ["Conv_1"]:
        return "Conv_1_bn" if norm else "Conv_1"
    block = re.sub(r"^expanded_conv_(\d+)$", r"block_\1", names[0])
    return "_".join([block, *names[1:]]) + ("_BN" if norm else "")


def _found(arrays: dict[str, NDArray[np.float32]], layer: str, kind: str) -> NDArray[np.float32] | None:
    return arrays.get(f"{layer}/{_KINDS.get(kind, kind)}")
