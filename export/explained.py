"""The network as it ships: beside the logit a heat map of where it comes from, and the generator's family.

A head is an MLP of one ReLU layer on means and deviations of blocks, so that its logit is a sum over positions once it
is known which units are active: gradient times (statistic - average of the training pictures), and a mean is a sum over
positions, a deviation's distance from another one too: (var - d²) / (deviation + d). All of this is forward arithmetic,
so it is a part of the graph, and what a cell shows is what that place adds to the logit (Simonyan 2014 calls the
first-order term saliency; here it is exact but for the biases).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from export.family_head import FamilyHead
from export.network import HeadForm, Network

_CELL = 16
"""Pixels of a view along the side of a cell: what the middle blocks of the backbones resolve."""
_LEAST_CELLS = 4


def explained(network: Network, families: FamilyHead | None = None, *, heat: bool = True) -> keras.Model:
    """The inputs of the network -> [logit float32 [N], family float32 [N, F] where there is a head, heatmap [N, h, w].

    Without the heat map where `heat` is false.

    The heat map is in units of the logit: its sum and a term of the active units' biases are the logit. The trained
    weights are in it as constants: build it when training is over.
    """
    model = network.model
    features = model.get_layer("features").output
    chosen = _chosen(network)
    outputs = [model.outputs[0]]
    if families is not None:
        outputs.append(layers.Identity(name="family", dtype="float32")(_family(families, features, chosen)))
    if heat:
        pooled = network.config.head is HeadForm.POOLED
        cells = _pooled_heat(network, chosen) if pooled else _heat(network, features, chosen)
        outputs.append(layers.Identity(name="heatmap", dtype="float32")(cells))
    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], outputs)


def _chosen(network: Network) -> keras.KerasTensor | None:
    """float32 [N, groups], 1 for the group of each row; None where there is one group."""
    if network.config.groups == 1:
        return None
    group = network.model.inputs[1]
    numbers = ops.arange(network.config.groups, dtype="int32")
    return ops.cast(ops.equal(ops.expand_dims(group, -1), numbers), "float32")


def _of_group(values: Sequence[keras.KerasTensor], chosen: keras.KerasTensor | None) -> keras.KerasTensor:
    """From one tensor [N, k] a group those of each row's own group."""
    if chosen is None:
        return values[0]
    return sum(value * chosen[:, g : g + 1] for g, value in enumerate(values))


def _constants(values: Sequence[NDArray[np.float32]], chosen: keras.KerasTensor | None) -> keras.KerasTensor:
    """From one vector [k] a group those of each row's own group, [N or 1, k]."""
    stacked = np.stack(values).astype(np.float32)
    return ops.convert_to_tensor(stacked) if chosen is None else ops.matmul(chosen, stacked)


def _family(families: FamilyHead, features: keras.KerasTensor, chosen: keras.KerasTensor | None) -> keras.KerasTensor:
    each = [ops.matmul(features, k) + b for k, b in zip(families.kernel, families.bias, strict=True)]
    return _of_group(each, chosen)


def _heat(network: Network, features: keras.KerasTensor, chosen: keras.KerasTensor | None) -> keras.KerasTensor:
    """float32 [N, h, w] of heads on statistics."""
    gradients, means, deviations = [], [], []
    for head in network.heads:
        mean, deviation = head.get_layer("standardise").get_weights()
        kernel, bias = head.get_layer("hidden").get_weights()
        last = head.get_layer("logit").get_weights()[0]
        before = ops.matmul((features - mean) / deviation, kernel) + bias
        active = ops.cast(before > 0, "float32") * last[:, 0]
        # The kernel from the left: transposed it would be a second constant of its size in the graph.
        gradients.append(ops.transpose(ops.matmul(kernel, ops.transpose(active))) / deviation)
        means.append(mean)
        deviations.append(deviation)
    gradient, usual = _of_group(gradients, chosen), _constants(means, chosen)
    side = max(_LEAST_CELLS, network.config.size // _CELL)
    total = None
    start = 0
    for block in network.maps:
        width = int(block.shape[-1])
        m, d = slice(start, start + width), slice(start + width, start + 2 * width)
        spread = gradient[:, d] / (features[:, d] + usual[:, d])
        apart = ops.sum(gradient[:, m] * (features[:, m] - usual[:, m]) - spread * ops.square(usual[:, d]), axis=1)
        height, length = int(block.shape[1]), int(block.shape[2])
        x = ops.reshape(block, (-1, height * length, width)) - ops.expand_dims(features[:, m], 1)
        cells = ops.matmul(ops.square(x), ops.expand_dims(spread, 2)) + ops.matmul(
            x, ops.expand_dims(gradient[:, m], 2)
        )
        cells = (ops.squeeze(cells, 2) + ops.expand_dims(apart, 1)) / (height * length)
        resampled = _resampled(ops.reshape(cells, (-1, height, length)), side)
        total = resampled if total is None else total + resampled
        start += 2 * width
    return total


def _pooled_heat(network: Network, chosen: keras.KerasTensor | None) -> keras.KerasTensor:
    """float32 [N, h, w] of linear heads on the last output's average (Zhou 2016)."""
    (last,) = network.maps
    height, length, width = (int(n) for n in last.shape[1:])
    weights = _constants([head.get_layer("logit").get_weights()[0][:, 0] for head in network.heads], chosen)
    cells = ops.matmul(ops.reshape(last, (-1, height * length, width)), ops.expand_dims(weights, 2))
    side = max(_LEAST_CELLS, network.config.size // _CELL)
    return _resampled(ops.reshape(cells / (height * length), (-1, height, length)), side)


def _resampled(cells: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """float32 [N, h, w] -> [N, side, side], each cell spread over those it covers: the sum stays."""
    rows, columns = (_spread(int(n), side) for n in cells.shape[1:])
    return ops.matmul(ops.matmul(rows, cells), columns.T)


def _spread(there: int, side: int) -> NDArray[np.float32]:
    """float32 [side, there]: share of each of `there` equal parts of a line in each of `side` equal parts."""
    ends = np.arange(side + 1) / side
    parts = np.arange(there + 1) / there
    low = np.maximum(ends[:-1, None], parts[None, :-1])
    high = np.minimum(ends[1:, None], parts[None, 1:])
    return (np.maximum(high - low, 0) * there).astype(np.float32)
