"""A Ray cluster of several raylets on this machine, in a process of its own; and workers of it to be killed.

`python -m benchmarks.ray_cluster NODES` holds one until its standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import ROOT

POISON = b"KILL-THE-WORKER-THAT-READS-ME"
"""Bytes whose reader dies where the folder `poison` is on the path (benchmarks/poison)."""


def cluster_environment() -> dict[str, str]:
    """The environment in which workers find this source tree, and die of poison."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "benchmarks" / "poison"), str(ROOT)]),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # not Ray's 15: what else the machine does is to fall on both engines alike
    }


@contextlib.contextmanager
def cluster(nodes: int = 2) -> Iterator[str]:
    """The address of a cluster of so many raylets with one CPU each."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ray_cluster", str(nodes)],
        cwd=ROOT, env=cluster_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as holder:  # fmt: skip
        assert holder.stdin is not None and holder.stdout is not None
        try:
            for line in holder.stdout:
                if line.startswith(b"address "):
                    yield line.split()[1].decode()
                    break
            else:
                raise RuntimeError("Ray's cluster did not start")
        finally:
            holder.stdin.close()


def workers() -> list[int]:
    """The processes on this machine that hold a session: Ray's actors and their guarded children."""
    actors = [pid for pid, title in _titles() if title.startswith("ray::ShardWorker")]
    children = [pid for pid, _ in _titles() if _parent(pid) in actors]
    return actors + children


class Killer(threading.Thread):
    """Ends one worker after the other with SIGKILL, at random moments, until it is stopped.

    On a machine that is slow for other work, nothing would ever get done between two kills at fixed times: so the next
    worker dies some time after `progress()` has risen again.
    """

    def __init__(self, seed: int, seconds: float, progress: Callable[[], int]) -> None:
        """`seconds`: mean time from a step forward to a kill."""
        super().__init__(daemon=True)
        self._random = random.Random(seed)
        self._seconds = seconds
        self._progress = progress
        self._stopped = threading.Event()
        self.kills = {"actors": 0, "children": 0}

    def run(self) -> None:
        """Kill."""
        before = 0
        while not self._stopped.wait(self._random.uniform(0.2, 1.8) * self._seconds):
            now = self._progress()
            if now <= before:
                continue
            found = workers()
            if not found:
                continue
            pid = self._random.choice(found)
            is_actor = any(pid == other and title.startswith("ray::") for other, title in _titles())
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills["actors" if is_actor else "children"] += 1
                before = now

    def stop(self) -> None:
        """Kill nobody any more."""
        self._stopped.set()
        self.join()


def _titles() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield (
                    int(folder.name),
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"),
                )


def _parent(pid: int) -> int:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _hold(nodes: int) -> None:
    from ray.cluster_utils import Cluster

    held = Cluster()
    for _ in range(nodes):
        held.add_node(num_cpus=1, include_dashboard=False, object_store_memory=100 * 1024 * 1024)
    held.wait_for_nodes()
    print(f"address {held.address}", flush=True)
    sys.stdin.read()
    held.shutdown()


if __name__ == "__main__":
    _hold(int(sys.argv[1]))
