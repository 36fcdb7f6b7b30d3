"""The measurement of what S3 costs runs, compares the records, and tells a ratio."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import BLACK, WHITE, picture


def test_the_records_are_compared_and_the_ratio_is_told(tmp_path: Path, tiny_model_dir: Path) -> None:
    pytest.importorskip("moto.server", reason="needs moto[server]")
    from benchmarks.remote_cost import remote_cost

    for number in range(6):
        picture(tmp_path / "pictures" / f"{number}.png", WHITE if number % 2 else BLACK)
    (tmp_path / "work").mkdir()
    figures = remote_cost(tmp_path / "pictures", 6, f"{tiny_model_dir}/", tmp_path / "work", rounds=1)
    assert figures["pictures"] == 6
    assert len((tmp_path / "work" / "remote.jsonl").read_text().splitlines()) == 6
    assert figures["with both starts"] > 0 and set(figures["start, cpu ms"]) == {"local", "remote"}
