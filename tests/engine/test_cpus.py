"""The number of workers follows what the process may use, not what the machine has."""

from pathlib import Path

import pytest

from scanner.engine.cpus import usable_cpus


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 16), ("250000 100000", 3), ("50000 100000", 1), ("x", 16)]
)
def test_the_quota_of_control_groups_v2(tmp_path: Path, sixteen: None, limit: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert usable_cpus(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("400000", 4)])
def test_the_quota_of_control_groups_v1(tmp_path: Path, sixteen: None, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == expected


def test_the_affinity_mask_bounds_without_a_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    assert usable_cpus(tmp_path) == 1
