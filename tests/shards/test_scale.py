"""The simulation loses no shard and adds up, and docs/scale.md holds what the stored results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale_simulation import World, scale_simulation, simulate
from tests.shards.conftest import ROOT


def test_short_lived_workers_still_finish_every_shard_at_a_price() -> None:
    calm = simulate(World(picture=0.04, lifetime=1e9, start=5), 40_000, 8, 500)
    wild = simulate(World(picture=0.04, lifetime=60, start=5), 40_000, 8, 500)  # a shard takes 20 s
    assert calm["deaths"] == 0 and wild["deaths"] > 20
    assert 0.9 < calm["of_use"] <= 1
    assert wild["of_use"] < calm["of_use"] and wild["scanning_hours"] > calm["scanning_hours"]
    assert calm["core_hours"] >= 40_000 * 0.04 / 3600 - 0.1


def test_shards_longer_than_lives_are_cut_in_pieces_until_they_fit() -> None:
    told = simulate(World(picture=0.04, lifetime=30, start=1), 8_000, 4, 4_000)  # a shard takes 160 s
    assert told["shards"] == 2 and told["deaths"] >= 6


def test_a_small_world_has_every_figure_of_a_large_one() -> None:
    small = scale_simulation(World(picture=0.04), 0.001)
    assert {plan["pictures"] for plan in small["plans"]} == {10_000, 1_000_000}
    assert small["shard sizes"] and small["short lives"]


def test_the_page_is_made_of_the_stored_results(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib (extra [export])")
    from benchmarks.scale_page import write_scale_page

    page = write_scale_page(ROOT / "benchmarks" / "results", tmp_path)
    assert page.read_text("utf-8") == (ROOT / "docs" / "scale.md").read_text("utf-8")
    assert (tmp_path / "scale.svg").read_bytes() == (ROOT / "docs" / "scale.svg").read_bytes()
