"""The harness runs: its parts over a handful of pictures, results that say their conditions, and the page of them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.measure import Measured, paired
from benchmarks.parts import PARTS
from benchmarks.pictures import WEB, picture_set

ROOT = Path(__file__).parents[2]
SMOKE = [part for part in (*PARTS, "page") if part != "loops-shipped"]
"""The part left out is another one's code with another network, and starts TensorFlow four times more."""
HAS_KERAS = importlib.util.find_spec("keras") is not None


@pytest.mark.export
@pytest.mark.skipif(not HAS_KERAS, reason="the networks are built with Keras (extra [export])")
def test_the_parts_run_and_the_page_holds_its_figures(tmp_path: Path) -> None:
    folders = [word for name in ("work", "results", "docs") for word in (f"--{name}", str(tmp_path / name))]
    command = [sys.executable, "-m", "benchmarks", *folders, *SMOKE, "--rounds", "1", "--scale", "0.002"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*.json")]
    assert {result["part"] for result in results} == set(SMOKE) - {"page"}
    assert all(result["conditions"]["cpus"] >= 1 and result["conditions"]["cpu"] for result in results)
    bound = next(result["figures"] for result in results if result["part"] == "bound-shipped")
    page = (tmp_path / "docs" / "performance.md").read_text()
    for name, case in bound.items():
        d, i, h = (case[key]["pictures_per_second"] for key in ("D", "I", "H"))
        assert h == pytest.approx(1 / (1 / d + 1 / i), rel=0.01)
        assert f"| {name} | {d:.1f} | {i:.1f} | {h:.1f} |" in page
    for plot in ("performance-one-view.svg", "performance-workers.svg"):
        assert plot in page
        assert (tmp_path / "docs" / plot).read_text().startswith("<?xml")


def test_an_unknown_part_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["warp", "--work", str(tmp_path)])
    assert end.value.code == 2


def test_ratios_are_made_round_by_round() -> None:
    fast = Measured(tuple({"pictures": 10, "seconds": s, "cpu": 1.0} for s in (1.0, 4.0, 2.0)))
    slow = Measured(tuple({"pictures": 5, "seconds": s, "cpu": 2.0} for s in (1.0, 2.0, 2.0)))
    assert paired(fast, slow) == 2.0  # 2, 1 and 2, though other work slowed the second round down
    assert paired(fast, slow, "cpu") == 4.0


def test_a_set_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (picture_set(WEB, tmp_path / name, 2, 5) for name in ("a", "b"))
    contents = [path.read_bytes() for path in sorted(first.iterdir())]
    assert contents == [path.read_bytes() for path in sorted(second.iterdir())]
    assert len(contents) == 5 and len(set(contents)) == 2
    assert picture_set(WEB, tmp_path / "a", 2, 5) == first
