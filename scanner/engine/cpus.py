"""What CPUs this process has: how many it may use (affinity and quota, not the machine's), and how they multiply."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPU_INFO = Path("/proc/cpuinfo")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """At least 1; reads Linux control groups (v2 `cpu.max`, v1 `cpu.cfs_quota_us`) where they are."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))


def has_vnni(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the CPU is known to add up 8-bit products in 32 bits (VNNI); False where nothing tells, off Linux."""
    try:
        with open(cpu_info, encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(flags.split())


def _quota(cgroup: Path) -> float | None:
    """CPUs that the quota allows, or None where there is no quota."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
