"""Ways to train a head, compared on cached features: `screen`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from export.network_config import Backbone, NetworkConfig
from scanner.errors import UsageError
from scanner.model import ViewPolicy

pytestmark = pytest.mark.export
pytest.importorskip("keras", reason="Keras is in the extra [export]")


def test_group_dro_moves_weight_to_the_group_of_high_loss() -> None:
    from export.screen import dro_shares

    shares = np.full(3, 1 / 3)
    losses, groups = np.array([0.1, 0.1, 2.0, 2.0], np.float32), np.array([0, 0, 1, 1])
    for _ in range(5):
        shares = dro_shares(shares, losses, groups, 0.1)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] > shares[0] > shares[2]  # the third had no loss at all


def test_every_variant_is_trained_and_told_in_a_table(prepared: Path, views: ViewPolicy, tmp_path: Path) -> None:
    from export.heads import HeadSettings
    from export.material import material
    from export.screen import VARIANTS, ScreenSettings, Variant, screen
    from export.train import TrainOptions, train

    network = NetworkConfig(Backbone.TINY, blocks=(1, 3), hidden=8, groups=len(views.groups), size=32)
    run = train(
        TrainOptions(prepared, tmp_path / "run", network, views, draws=2, draw_sets=2, head=HeadSettings(1, batch=32))
    )
    held = material(run)
    chosen = ("base", "third", "dro", "adversary")
    variants = [v for v in VARIANTS if v.name in chosen] + [Variant("first-block", "block 1", blocks=(1,))]
    settings = ScreenSettings(views.groups[0].name, epochs=1, batch=32, seeds=1)
    rows = screen(held, settings, variants, tmp_path / "found")
    assert [row["name"] for row in rows] == [variant.name for variant in variants]
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["rows"] == rows and written["data_hash"] == run.config["data_hash"]
    for row in rows:
        assert all(0 <= figure <= 1 for condition in ("as-is", "web", "hard") for figure in row[condition])
        assert len(row["seed_auc"]) == 1
    by_name = {row["name"]: row for row in rows}
    for name in ("third", "first-block"):
        assert by_name[name]["seed_auc"] != by_name["base"]["seed_auc"], name
    table = (tmp_path / "found.md").read_text()
    assert all(f"| {variant.what} |" in table for variant in variants)


def test_an_unknown_view_group_is_refused(prepared: Path, views: ViewPolicy, tmp_path: Path) -> None:
    from export.heads import HeadSettings
    from export.material import material
    from export.screen import VARIANTS, ScreenSettings, screen
    from export.train import TrainOptions, train

    network = NetworkConfig(Backbone.TINY, blocks=(1,), hidden=8, groups=len(views.groups), size=32)
    run = train(TrainOptions(prepared, tmp_path / "run", network, views, draws=1, head=HeadSettings(1, batch=32)))
    with pytest.raises(UsageError, match="s9"):
        screen(material(run), ScreenSettings("s9"), VARIANTS[:1], tmp_path / "found")
