"""View groups of weight 0: cut and kept in the cache for another run, but no part of the network or of the model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.network_config import Backbone, NetworkConfig
from scanner.errors import UsageError
from scanner.model import ViewPolicy

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")


def weighted(views: ViewPolicy, *weights: float) -> ViewPolicy:
    groups = tuple(replace(group, weight=weight) for group, weight in zip(views.groups, weights, strict=True))
    return replace(views, groups=groups)


def test_a_group_of_weight_0_gets_no_head_and_another_run_takes_it_from_the_cache(
    tmp_path: Path, views: ViewPolicy, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import features
    from export.heads import HeadSettings
    from export.train import TrainOptions, train

    network = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, groups=1, size=32)
    cache = tmp_path / "cache"

    def options(run: str, *weights: float) -> TrainOptions:
        settings = HeadSettings(epochs=2, batch=32)
        return TrainOptions(
            prepared, tmp_path / run, network, weighted(views, *weights), draws=1, head=settings, cache=cache
        )

    first = train(options("first", 1.0, 0.0))
    assert [group.name for group in first.views.groups] == ["40"]
    model = first.network().model
    assert [value.name for value in model.inputs] == ["image"]
    assert {path.name for path in first.folder.glob("head*")} == {"head0_seed0.npz"}

    (tmp_path / "second").mkdir()
    for name in ("backbone.weights.h5", "extractor.onnx"):
        shutil.copyfile(first.folder / name, tmp_path / "second" / name)
    monkeypatch.setattr(features, "picture_views", None)
    second = train(options("second", 0.0, 1.0))
    assert [group.name for group in second.views.groups] == ["native"]
    assert {path.name for path in second.folder.glob("head*")} == {"head1_seed0.npz"}
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    assert float(second.network().model(pixels)[0]) != float(model(pixels)[0])


def test_a_second_set_of_draws_adds_to_what_is_cached(
    prepared: Path, views: ViewPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export import train as training
    from export.heads import Examples, HeadSettings
    from export.train import TrainOptions, train

    seen: list[Examples] = []

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(arguments[1])
        return train_head(*arguments, **named)

    train_head = training.train_head
    monkeypatch.setattr(training, "train_head", watched)
    network = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, groups=1, size=32)

    def options(run: str, sets: int) -> TrainOptions:
        return TrainOptions(
            prepared, tmp_path / run, network, weighted(views, 0.0, 1.0), draws=2, draw_sets=sets,
            head=HeadSettings(epochs=1, batch=32), cache=tmp_path / "cache",
        )  # fmt: skip

    first = train(options("first", 1))
    (tmp_path / "second").mkdir()
    for name in ("backbone.weights.h5", "extractor.onnx"):
        shutil.copyfile(first.folder / name, tmp_path / "second" / name)
    train(options("second", 2))
    small, large = (examples.train for examples in seen)
    assert large.shape == (small.shape[0], 4, small.shape[2])
    np.testing.assert_array_equal(large[:, :2], small)
    assert not np.array_equal(large[:, 2:], small)


def test_views_without_any_weight_are_refused(tmp_path: Path, views: ViewPolicy) -> None:
    from export.train import TrainOptions

    with pytest.raises(UsageError, match="weight above 0"):
        TrainOptions(tmp_path, tmp_path / "run", NetworkConfig(Backbone.TINY, groups=0), weighted(views, 0.0, 0.0))
