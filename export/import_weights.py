"""PyTorch checkpoints of EfficientNet-Lite as Keras weights: the only place that needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.network_config import Backbone
from scanner.errors import UsageError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray


VARIANTS = {
    Backbone.EFFICIENTNET_LITE0: 0,
    Backbone.EFFICIENTNET_LITE1: 1,
    Backbone.EFFICIENTNET_LITE2: 2,
}


def import_weights(checkpoint: Path, out: Path, backbone: Backbone = Backbone.EFFICIENTNET_LITE0) -> None:
    """Write the .weights.h5 of an EfficientNet-Lite from a checkpoint with efficientnet_lite_pytorch's names.

    Raises UsageError where torch is missing or the checkpoint is of another network.
    """
    from export import efficientnet_lite

    if backbone not in VARIANTS:
        raise UsageError(f"only EfficientNet-Lite comes from a PyTorch checkpoint, not {backbone}")
    arrays = read_checkpoint(checkpoint)
    model = efficientnet_lite.build(VARIANTS[backbone], backbone.value)
    try:
        fill(model, arrays)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{checkpoint} is not {backbone}: {error}") from error
    model.save_weights(out)


def read_checkpoint(checkpoint: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a PyTorch state dict as arrays; nothing in the file is executed (`weights_only`)."""
    try:
        import torch
    except ImportError as error:
        raise UsageError("import-weights needs PyTorch: pip install torch") from error
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no checkpoint {checkpoint}") from error
    except Exception as error:  # torch raises half a dozen kinds for a file that is no checkpoint
        raise UsageError(f"{checkpoint} is no PyTorch checkpoint: {str(error).splitlines()[0]}") from error
    return {name: tensor.numpy() for name, tensor in state.items()}


def fill(model: keras.Model, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Set every weight from arrays with the checkpoint's names; raises KeyError or ValueError where they do not fit."""
    used = set()
    for layer in model.layers:
        if not layer.weights:
            continue
        prefix = _torch_name(layer.name)
        names, values = _values(layer, prefix, arrays)
        layer.set_weights(values)
        used.update(names)
    rest = [n for n in arrays if n not in used and not n.startswith("_fc.") and not n.endswith("num_batches_tracked")]
    if rest:
        raise ValueError(f"it has layers that the network lacks, such as {rest[0]}")


def _values(layer: Any, prefix: str, arrays: dict[str, NDArray[np.float32]]) -> tuple[list[str], list[Any]]:
    """A layer's weights in Keras' order and layout, and the checkpoint's names of them."""
    kind = type(layer).__name__
    if kind == "BatchNormalization":
        names = [f"{prefix}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        return names, [arrays[name] for name in names]
    name = f"{prefix}.weight"
    # OIHW -> HWIO, and for depthwise (O = channels, I = 1) -> HW, channels, 1
    order = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (2, 3, 1, 0)
    return [name], [arrays[name].transpose(order)]


def _torch_name(name: str) -> str:
    """`block3_expand_bn` -> `_blocks.3._bn0`."""
    ends = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
    if name in ends:
        return ends[name]
    block, part = name.removeprefix("block").split("_", 1)
    parts = {
        "expand": "_expand_conv", "expand_bn": "_bn0", "depthwise": "_depthwise_conv", "depthwise_bn": "_bn1",
        "project": "_project_conv", "project_bn": "_bn2", "out": "_bn2",
    }  # fmt: skip
    return f"_blocks.{block}.{parts[part]}"
