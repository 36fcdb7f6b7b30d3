"""What a process and its children cost: CPU seconds and resident memory, read while they live (Linux)."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_TICK = os.sysconf("SC_CLK_TCK")
RESOLUTION = 1 / _TICK
"""Seconds: what `cpu_seconds` counts in."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def cpu_seconds(root: int) -> float:
    """CPU seconds of a family so far, its ended and awaited members included."""
    return sum(sum(int(value) for value in fields[11:15]) for pid in family(root) if (fields := _stat(pid))) / _TICK


def resident(root: int) -> int:
    """Resident memory of a family in bytes; what its members share is counted for each."""
    return sum(int(fields[21]) * _PAGE for pid in family(root) if (fields := _stat(pid)))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None where the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


@dataclass(slots=True)
class Peak:
    """The highest resident memory of a family while the block runs, looked at five times a second."""

    root: int
    bytes: int = 0
    _end: threading.Event | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Peak:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(self._end,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._end is not None and self._thread is not None
        self._end.set()
        self._thread.join()

    def _watch(self, end: threading.Event) -> None:
        while True:
            self.bytes = max(self.bytes, resident(self.root))
            if end.wait(0.2):
                return
