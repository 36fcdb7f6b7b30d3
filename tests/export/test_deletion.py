"""Covering what a heat map calls warm lowers the logit, also where it is done to a real picture's views."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from export.deletion import SHARES, Order, cover, delete, spread_over, write
from export.labels import Class
from export.manifest import Record
from scanner.model import load_model
from tests.test_heat import folder, half_bright

__all__ = ["folder"]

pytestmark = pytest.mark.export


def test_a_true_heat_map_passes_and_a_false_one_does_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib (extra [export])")
    from scanner.heat import Heater

    records = [Record(str(half_bright(tmp_path / "a.png")), Class.GENERATED)] * 12  # random cells, on the average
    model = load_model(str(folder))
    found = delete(records, model)
    assert found.faithful
    hottest, coldest = (found.changes[order][0] for order in (Order.HOTTEST, Order.COLDEST))
    assert (np.diff(hottest) < 0).all() and hottest[0] < 0  # white gives way to the mean colour
    assert coldest[0] > 0
    write(tmp_path / "report", "val", model, found)
    about = json.loads((tmp_path / "report" / "deletion.json").read_text())
    assert about["faithful"] and about["shares"] == list(SHARES) and about["views"] == 12
    assert (tmp_path / "report" / "deletion.png").stat().st_size > 0

    maps = Heater.maps
    monkeypatch.setattr(Heater, "maps", lambda self, views: (maps(self, views)[0], -maps(self, views)[1]))
    assert not delete(records, model).faithful


def test_only_the_chosen_cells_are_covered() -> None:
    view = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    cells = np.zeros((4, 4), bool)
    cells[1, 2] = True
    covered = cover(view, cells)
    changed = (covered != view).any(2)
    assert changed[2:4, 4:6].all()
    assert changed.sum() == 4
    assert (covered[2, 4] == view.reshape(-1, 3).mean(0).round()).all()


def test_both_classes_are_looked_at() -> None:
    records = [Record(f"{i}.png", Class.GENERATED if i % 3 else Class.REAL, sha256=f"{i:064}") for i in range(30)]
    chosen = spread_over(records, 10)
    assert [record.generated for record in chosen] == [True] * 5 + [False] * 5
