"""Measures the walk and the cache look-up: memory over many entries, and time against scandir and stat.

    python benchmarks/walk_cache.py memory --entries 1000000 --folders 1000     peak memory must stay below 60 MB
    python benchmarks/walk_cache.py rescan --entries 10000                      look-up at most 4x scandir and stat

Exit code 1 where a bound is missed. The tree is made in a temporary folder (`--folder` names another one).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scanner.cache import Cache, CacheKeys
from scanner.options import ScanOptions
from scanner.records import Examined, ImageFile
from scanner.walk import walk

KEYS = CacheKeys("model", "views", "decoder", "reader", "limits")
MEMORY_BOUND_MB = 60
TIME_BOUND = 4.0
LONG_AGO = 1_600_000_000_000_000_001


def main() -> int:
    """Run one measurement and say whether its bound holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "rescan", "look-up"])
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--folders", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where the tree and the cache are made")
    args = parser.parse_args()
    if args.what == "look-up":  # the measured process of `memory`
        return look_up(args.folder)
    root = Path(tempfile.mkdtemp(prefix="walk-cache-", dir=args.folder))
    try:
        make_tree(root / "tree", args.entries, args.folders)
        fill(root)
        return memory(root, args.entries) if args.what == "memory" else rescan(root, args.entries)
    finally:
        shutil.rmtree(root)


def make_tree(tree: Path, entries: int, folders: int) -> None:
    """Files of one byte, of a time long ago, evenly in so many folders."""
    for number in range(entries):
        if number < folders:
            (tree / f"{number:05}").mkdir(parents=True)
        path = f"{tree}/{number % folders:05}/{number:08}.jpg"
        with open(path, "wb") as file:
            file.write(b"x")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))


def fill(root: Path) -> None:
    """Put a result of every file into a cache."""
    (root / "cache").mkdir()
    cache = Cache(root / "cache", KEYS, warn=sys.exit)
    for number, file in enumerate(files_of(root)):
        cache.store(Examined(file, None, -1.234567, 4000, 3000, "JPEG", f"{number:064x}"))
    cache.close()


def files_of(root: Path) -> Iterator[ImageFile]:
    """The walk over the tree."""
    return walk(ScanOptions(paths=(str(root / "tree"),)), missing=lambda path, error: sys.exit(str(error)))


def look_up(root: Path) -> int:
    """Walk and look up everything; print files found and peak memory in kB."""
    import resource

    cache = Cache(root / "cache", KEYS, warn=sys.exit)
    known = sum(cache.find(file) is not None for file in files_of(root))
    cache.close()
    print(known, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0


def memory(root: Path, entries: int) -> int:
    """Peak memory of a process that walks and looks up every entry."""
    started = time.perf_counter()
    command = [sys.executable, __file__, "look-up", "--folder", str(root)]
    known, peak = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())
    seconds = time.perf_counter() - started
    print(f"{entries} entries: {known} known, peak {peak / 1000:.1f} MB, {seconds:.1f} s")
    return int(known != entries or peak / 1000 > MEMORY_BOUND_MB)


def rescan(root: Path, entries: int) -> int:
    """Walk and look-up against scandir and stat, in turns, by the CPU time of each."""
    bare, looked = [], []
    for _ in range(7):
        started = time.process_time()
        scandir_and_stat(str(root / "tree"))
        bare.append(time.process_time() - started)
        cache = Cache(root / "cache", KEYS, warn=sys.exit)
        started = time.process_time()
        results: list[ImageFile] = [file for file in files_of(root) if cache.find(file) is None]
        looked.append(time.process_time() - started)
        cache.close()
        assert not results
    ratio = sorted(looked)[3] / sorted(bare)[3]
    per_file = 1e6 / entries
    print(
        f"{entries} files, CPU time a file (median of 7): scandir and stat {sorted(bare)[3] * per_file:.2f} us, "
        f"walk and look-up {sorted(looked)[3] * per_file:.2f} us, ratio {ratio:.2f}"
    )
    return int(ratio > TIME_BOUND)


def scandir_and_stat(folder: str) -> None:
    """The least that a walk can cost."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(main())
