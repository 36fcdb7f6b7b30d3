"""The number of workers follows what the process may use, not what the machine has."""

from pathlib import Path

import pytest

from scanner.engine.cpus import has_vnni, usable_cpus


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


@pytest.mark.parametrize(
    ("info", "has"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n\nprocessor : 1\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx2\nmodel name : avx512_vnni\n", False),
        ("processor : 0\nFeatures : fp asimd\n", False),
        (None, False),
    ],
)
def test_vnni_is_found_in_the_cpu_s_flags(tmp_path: Path, info: str | None, has: bool) -> None:
    if info is not None:
        (tmp_path / "cpuinfo").write_text(info)
    assert has_vnni(tmp_path / "cpuinfo") is has
