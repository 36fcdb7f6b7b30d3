from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.labels import Class
from export.manifest import Record
from export.network_config import Backbone, HeadForm, NetworkConfig
from export.sampling import draw, mixup, picture_weights

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")

CONFIG = NetworkConfig(Backbone.TINY, hidden=6, dropout=0.2)


def examples(seed: int = 0) -> object:
    from export.heads import Examples

    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 2 == 0
    train = rng.normal(labels[:, None, None] * 1.5, 1, (60, 3, 10)).astype(np.float16)
    val = rng.normal(labels[:30, None, None] * 1.5, 1, (30, 2, 10)).astype(np.float16)
    return Examples(train, labels, np.full(60, 1 / 60), (val, val + np.float16(0.1)), labels[:30])


@pytest.mark.parametrize("form", list(HeadForm))
def test_a_head_learns_and_keeps_its_best_epoch(tmp_path: Path, form: HeadForm) -> None:
    from export.heads import HeadSettings, picture_logits, train_head
    from export.metrics import auc

    data = examples()
    trained = train_head(
        replace(CONFIG, head=form), data, HeadSettings(epochs=6, batch=16, rate=0.02), tmp_path / "h.npz", "head"
    )
    assert trained.auc == max(row["val_auc"] for row in trained.history) > 0.9
    again = np.mean([auc(data.val_labels, picture_logits(trained.head, values)) for values in data.val])
    assert again == pytest.approx(trained.auc)


def test_a_killed_head_goes_on_to_the_same_end(tmp_path: Path) -> None:
    from export.heads import HeadSettings, train_head

    class Killed(Exception):
        pass

    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == 3:
            raise Killed

    settings = HeadSettings(epochs=6, batch=16)
    whole = train_head(CONFIG, examples(), settings, tmp_path / "whole.npz", "head")
    with pytest.raises(Killed):
        train_head(CONFIG, examples(), settings, tmp_path / "part.npz", "head", tell=kill)
    epochs = []
    resumed = train_head(
        CONFIG, examples(), settings, tmp_path / "part.npz", "head", tell=lambda row: epochs.append(row["epoch"])
    )
    assert epochs == [4, 5, 6]
    assert [row["loss"] for row in resumed.history] == pytest.approx([row["loss"] for row in whole.history], rel=1e-4)
    for a, b in zip(whole.head.get_weights(), resumed.head.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", list(HeadForm))
def test_merged_heads_give_the_mean_of_their_logits(form: HeadForm) -> None:
    from export.heads import merged
    from export.network import build_head

    config = replace(CONFIG, head=form)
    heads = [build_head(config, 10, f"h{i}") for i in range(3)]
    if form is HeadForm.STATISTICS:
        for head in heads:
            head.get_layer("standardise").set_weights([np.full(10, 0.5), np.full(10, 2.0)])
    x = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    mean = np.mean([np.asarray(head(x)) for head in heads], axis=0)
    np.testing.assert_allclose(np.asarray(merged(config, heads, "all")(x)), mean, rtol=1e-4, atol=1e-5)


def test_a_calibrated_head_speaks_in_probabilities(tmp_path: Path) -> None:
    from export.calibrate import fit_platt
    from export.heads import HeadSettings, calibrate_head, picture_logits, train_head

    data = examples()
    head = train_head(CONFIG, data, HeadSettings(epochs=3, batch=16), tmp_path / "h.npz", "head").head
    calibrate_head(head, data)
    logits = np.concatenate([picture_logits(head, values) for values in data.val])
    fitted = fit_platt(logits, np.tile(data.val_labels, 2))
    assert fitted.scale == pytest.approx(1, abs=0.02)
    assert fitted.bias == pytest.approx(0, abs=0.02)


def test_constant_features_do_not_blow_up() -> None:
    from dataclasses import replace as changed

    from export.heads import standardise
    from export.network import build_head

    data = examples()
    flat = data.train.copy()
    flat[:, :, 4] = 3
    head = build_head(CONFIG, 10, "head")
    standardise(head, changed(data, train=flat))
    x = np.asarray(head.get_layer("standardise")(flat.reshape(-1, 10).astype(np.float32)))
    assert np.abs(x[:, 4]).max() < 1e-3
    np.testing.assert_allclose(np.delete(x, 4, 1).mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.delete(x, 4, 1).std(0), 1, atol=1e-3)


def test_sources_weigh_by_the_root_of_their_size_and_classes_the_same() -> None:
    records = [Record(f"a{i}", Class.REAL, source="a") for i in range(100)]
    records += [Record("b", Class.REAL, source="b")]
    records += [Record(f"c{i}", Class.GENERATED, source="c") for i in range(4)]
    weights = picture_weights(records)
    assert weights.sum() == pytest.approx(1)
    assert weights[:100].sum() == pytest.approx(0.5 * 10 / 11)
    assert weights[100] == pytest.approx(0.5 / 11)
    assert weights[101:].sum() == pytest.approx(0.5)
    rows = draw(weights, 7, 4000, np.random.default_rng(0))
    assert (rows[:, 0] == 100).mean() == pytest.approx(0.5 / 11, abs=0.015)
    assert set(rows[:, 1]) == set(range(7))


def test_mixup_mixes_features_and_labels_alike() -> None:
    x = np.eye(8, dtype=np.float32)
    y = np.arange(8, dtype=np.float32)
    mixed, labels = mixup(x, y, 0.4, np.random.default_rng(0))
    np.testing.assert_allclose(mixed.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(mixed @ y, labels, rtol=1e-5)
    assert mixup(x, y, 0, np.random.default_rng(0)) == (x, y)
