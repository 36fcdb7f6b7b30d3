"""The benchmarks run, their ratios are made as the page says, and the page holds what the stored results say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the plots need matplotlib (extra [export])")

from benchmarks.__main__ import main
from benchmarks.bounds import bounds
from benchmarks.measure import Measured, paired
from benchmarks.page import write_page
from benchmarks.pareto import measure, model_rows, pareto
from benchmarks.parts import Bench, bound_one_view, startup
from benchmarks.pictures import WEB, picture_set
from benchmarks.results import conditions, store
from benchmarks.subjects import Subject
from tests.fakes import build_tiny_model

ROOT = Path(__file__).parent.parent


def test_parts_run_and_the_page_holds_their_figures(tmp_path: Path) -> None:
    tiny = Subject("tiny", build_tiny_model(tmp_path / "tiny"), tmp_path / "no.keras", views=1)
    pictures = picture_set(WEB, tmp_path, different=2, count=4)
    bench = Bench(tmp_path, tiny, tiny, rounds=1, scale=0.001, folders=(pictures, pictures))
    under = conditions(bench)
    assert under["cpus"] >= 1 and under["cpu"]
    figures = bound_one_view(bench)
    store(tmp_path / "results", "bound-one-view", under, figures)
    stored = store(tmp_path / "results", "startup", under, startup(bench))
    assert json.loads(stored.read_text())["figures"]["bare python"]["wall_ms"] > 0
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    assert set(figures) == {"one-view, web", "one-view, camera"}
    for name, case in figures.items():
        d, i, h = (case[key]["pictures_per_second"] for key in ("D", "I", "H"))
        assert h == pytest.approx(1 / (1 / d + 1 / i), rel=0.01)
        assert f"| {name} | {d:.1f} | {i:.1f} | {h:.1f} |" in page


def test_the_page_is_made_of_the_stored_results(tmp_path: Path) -> None:
    page = write_page(ROOT / "benchmarks" / "results", tmp_path)
    assert page.read_text("utf-8") == (ROOT / "docs" / "performance.md").read_text("utf-8")
    made = {path.name for path in tmp_path.glob("*.svg")}
    assert made == {path.name for path in (ROOT / "docs").glob("performance-*.svg")}


def test_an_unknown_part_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["warp", "--work", str(tmp_path)])
    assert end.value.code == 2


def test_every_model_is_a_point_of_speed_and_accuracy(tmp_path: Path) -> None:
    folders = [build_tiny_model(tmp_path / name, name=name) for name in ("fast", "thorough")]
    for folder, auc in zip(folders, (0.9, 0.95), strict=True):
        card = json.loads((folder / "model.json").read_text())
        figures = {name: {"auc": auc} for name in ("as-is", "web", "hard")}
        (folder / "model.json").write_text(json.dumps(card | {"measured": {"test": figures}}))
    tiny = Subject("tiny", folders[0], tmp_path / "no.keras", views=1)
    pictures = picture_set(WEB, tmp_path, different=2, count=4)
    bench = Bench(tmp_path, tiny, tiny, rounds=1, scale=0.01, folders=(pictures, pictures))
    found = measure(bench, [f"{folder}/" for folder in folders])
    assert all(found[name]["pictures_per_second"][kind] > 0 for name in found for kind in ("web", "camera"))
    store(tmp_path / "results", "pareto", conditions(bench), found)
    page = write_page(tmp_path / "results", tmp_path / "docs").read_text("utf-8")
    for name, auc in (("fast", "0.900"), ("thorough", "0.950")):
        assert f"| {name} | 1 | 0.0 | {found[name]['pictures_per_second']['web']:.1f} |" in page
        assert f"| {auc} / {auc} / {auc} | - |" in page
    assert "fast" in (tmp_path / "docs" / "performance-pareto.svg").read_text("utf-8")


def test_a_model_that_is_no_part_of_the_package_is_told_as_such(tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "other", name="other")
    tiny = Subject("tiny", other, tmp_path / "no.keras", views=1)
    pictures = picture_set(WEB, tmp_path, different=2, count=2)
    bench = Bench(tmp_path, tiny, tiny, 1, 0.01, (pictures, pictures), alternatives=(f"{other}/",))
    found = pareto(bench)
    assert not found["other"]["shipped"] and found["default"]["shipped"]
    _, rows = model_rows(found)
    assert any(row.startswith("| other, not in the package |") for row in rows)


def test_ratios_are_made_round_by_round() -> None:
    fast = Measured(tuple({"pictures": 10, "seconds": s, "cpu": 1.0} for s in (1.0, 4.0, 2.0)))
    slow = Measured(tuple({"pictures": 5, "seconds": s, "cpu": 2.0} for s in (1.0, 2.0, 2.0)))
    assert paired(fast, slow) == 2.0  # 2, 1 and 2, though other work slowed the second round down
    assert paired(fast, slow, "cpu") == 4.0


@pytest.mark.parametrize(("ratio", "kept"), [(0.95, "yes"), (0.91, "**no**")])
def test_a_bound_that_is_missed_says_so(ratio: float, kept: str) -> None:
    case = {f"{run} / H{by}": ratio for run in ("dfscan", "dfscan-cache") for by in ("", " by CPU time")}
    rows = [bound.as_row() for bound in bounds({"bound-one-view": {"one-view, web": case}})]
    assert len(rows) == 2
    assert all(row.endswith(f"| at least 0.92 | {ratio:.2f} | {ratio:.2f} | {kept} |") for row in rows)


def test_a_set_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (picture_set(WEB, tmp_path / name, 2, 5) for name in ("a", "b"))
    contents = [path.read_bytes() for path in sorted(first.iterdir())]
    assert contents == [path.read_bytes() for path in sorted(second.iterdir())]
    assert len(contents) == 5 and len(set(contents)) == 2
    assert picture_set(WEB, tmp_path / "a", 2, 5) == first
