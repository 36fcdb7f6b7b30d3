"""A heat map adds up to the logit that it explains, and each row is explained by the head of its own group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from export.network_config import Backbone, HeadForm, NetworkConfig

pytestmark = pytest.mark.export
keras = pytest.importorskip("keras", reason="Keras is in the extra [export]")

TINY = NetworkConfig(Backbone.TINY, blocks=(0, 2, 3), hidden=8, groups=1, size=32)
FORMS = [TINY, replace(TINY, groups=3, size=64), replace(TINY, head=HeadForm.POOLED, groups=2, size=64)]
NAMES = ["one head", "three heads", "pooled"]


def trained(config: NetworkConfig) -> Any:
    """A network whose heads have weights of every sign, and means and deviations of their own."""
    from export.network import build_network

    keras.utils.set_random_seed(0)
    network = build_network(config)
    rng = np.random.default_rng(0)
    for head in network.heads:
        for weight in head.weights:
            weight.assign(rng.normal(size=weight.shape) * 0.3 + (1.0 if "deviation" in weight.path else 0.0))
    return network


def rows(config: NetworkConfig, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, config.size, config.size, 3), dtype=np.uint8)
    return pixels, np.arange(count, dtype=np.int32) % config.groups


def call(model: Any, pixels: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(o) for o in model([pixels, groups] if len(model.inputs) > 1 else pixels)]


@pytest.mark.parametrize("config", FORMS, ids=NAMES)
def test_the_cells_and_the_biases_of_the_active_units_are_the_logit(config: NetworkConfig) -> None:
    from export.explained import explained
    from export.network import extractor_of

    network = trained(config)
    pixels, groups = rows(config)
    logit, heat = call(explained(network), pixels, groups)
    features = np.asarray(extractor_of(network)(pixels))
    rest = []
    for row, group in zip(features, groups, strict=True):
        head = network.heads[group]
        kernel, bias = head.get_layer("logit").get_weights()
        constant = bias[0]
        if config.head is HeadForm.STATISTICS:
            mean, deviation = head.get_layer("standardise").get_weights()
            hidden, offset = head.get_layer("hidden").get_weights()
            active = (row - mean) / deviation @ hidden + offset > 0
            constant += (active * offset * kernel[:, 0]).sum()
        rest.append(constant)
    side = max(4, config.size // 16)
    assert heat.shape == (6, side, side)
    assert np.ptp(heat) > 1e-3
    np.testing.assert_allclose(heat.sum((1, 2)) + rest, logit, atol=1e-5)


def test_a_change_in_one_corner_is_seen_there() -> None:
    from export.explained import explained

    network = trained(replace(TINY, blocks=(0,)))
    plain = np.full((1, 32, 32, 3), 128, np.uint8)
    marked = plain.copy()
    marked[0, :8, :8] = np.random.default_rng(2).integers(0, 256, (8, 8, 3))
    before, after = (call(explained(network), x, np.zeros(1, np.int32))[1][0] for x in (plain, marked))
    change = after - before
    elsewhere = change[2:, 2:]  # changes alike: means and deviations are the view's
    assert abs(change[0, 0] - elsewhere.mean()) > 50 * np.ptp(elsewhere)


@pytest.mark.parametrize("config", FORMS, ids=NAMES)
def test_families_are_read_by_the_head_of_the_rows_group(config: NetworkConfig) -> None:
    from export.explained import FamilyHead, explained
    from export.network import extractor_of

    network = trained(config)
    pixels, groups = rows(config)
    width = int(network.heads[0].input_shape[-1])
    rng = np.random.default_rng(3)
    head = FamilyHead(
        rng.normal(size=(config.groups, width, 5)).astype(np.float32),
        rng.normal(size=(config.groups, 5)).astype(np.float32),
    )
    model = explained(network, head)
    logit, family, _ = call(model, pixels, groups)
    features = np.asarray(extractor_of(network)(pixels))
    expected = [row @ head.kernel[g] + head.bias[g] for row, g in zip(features, groups, strict=True)]
    np.testing.assert_allclose(family, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logit, call(explained(network), pixels, groups)[0])
