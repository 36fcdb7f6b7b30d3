"""Runs loops side by side, in turns, and tells their rates: wall clock and CPU time, medians over the rounds."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class NotMeasuredError(Exception):
    """A part that cannot be measured here; says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One loop with its settings."""

    loop: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the rounds of one case gave, in the order of the rounds."""

    rounds: tuple[dict[str, float], ...]

    @property
    def rate(self) -> float:
        """Pictures a second, by the wall clock; the median."""
        return statistics.median(r["pictures"] / r["seconds"] for r in self.rounds)

    @property
    def cpu(self) -> float:
        """CPU seconds a picture; the median."""
        return statistics.median(r["cpu"] / r["pictures"] for r in self.rounds)

    def as_json(self) -> dict[str, Any]:
        """Rates, and the rounds they come from."""
        return {
            "pictures_per_second": round(self.rate, 3),
            "cpu_ms_per_picture": round(1000 * self.cpu, 3),
            "rounds": [{key: round(value, 4) for key, value in r.items()} for r in self.rounds],
        }


def in_turns(cases: Mapping[str, Case], rounds: int) -> dict[str, Measured]:
    """Every case once a round, so that what else the machine does falls on all alike."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            results[name].append(run_loop(case))
    return {name: Measured(tuple(measured)) for name, measured in results.items()}


def run_loop(case: Case) -> dict[str, float]:
    """One run of a loop in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.loops", case.loop, json.dumps(dict(case.given))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the loop {case.loop} failed:\n{done.stderr.strip()[-2000:]}")
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_command(arguments: Sequence[str], *, codes: tuple[int, ...] = (0,)) -> dict[str, float]:
    """Wall clock and CPU seconds of one Python process with its awaited children, output thrown away."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DFSCAN_")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in codes:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"pictures": 1, "seconds": seconds, "cpu": cpu}


def paired(one: Measured, other: Measured, of: str = "seconds") -> float:
    """The rate of `one` over that of `other`, round by round; the median. By wall clock, or `of="cpu"` time."""
    ratios = [(a["pictures"] / a[of]) / (b["pictures"] / b[of]) for a, b in zip(one.rounds, other.rounds, strict=True)]
    return statistics.median(ratios)
