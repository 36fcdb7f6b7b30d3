"""What is measured, in parts of less than two minutes on two idle cores; a part returns its figures as JSON types."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Case, Measured, in_turns, paired, run_command, run_loop
from benchmarks.own_loops import has_torch_loop
from benchmarks.pictures import CAMERA, WEB, picture_set
from benchmarks.subjects import Subject
from scanner.engine.cpus import usable_cpus

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all parts share."""

    work: Path
    """Folder for pictures and networks; what is there is used again."""
    shipped: Subject
    one_view: Subject
    rounds: int
    scale: float = 1.0
    """Factor on the number of pictures; the test of this package uses hardly any."""
    folders: tuple[Path, ...] = ()
    """The user's own pictures, by the names `web` and `camera` in this order; made ones where there are none."""
    alternatives: tuple[str, ...] = ()
    """Models that `pareto` puts beside the shipped ones, as `--model` takes them."""

    def count(self, wanted: int) -> int:
        """So many pictures, scaled."""
        return max(2, round(wanted * self.scale))

    def pictures(self, kind: str) -> Path:
        """The set of a kind: `web` or `camera`."""
        form, different, wanted = (WEB, 240, 1200) if kind == "web" else (CAMERA, 24, 240)
        place = ("web", "camera").index(kind)
        if len(self.folders) > place:
            return self.folders[place]
        return picture_set(form, self.work, self.count(different), self.count(wanted))

    def subject(self, name: str) -> Subject:
        """`shipped` or `one-view`."""
        return self.shipped if name == "shipped" else self.one_view

    def given(self, subject: Subject, kind: str, wanted: int, **more: Any) -> dict[str, Any]:
        """The settings of a loop over `wanted` pictures at most."""
        pictures = self.pictures(kind)
        there = sum(1 for path in pictures.rglob("*") if path.is_file())
        limit = min(there, self.count(wanted))
        return {"model": subject.option, "keras": str(subject.keras), "pictures": str(pictures), "limit": limit, **more}


def bound_one_view(bench: Bench) -> Figures:
    """dfscan against H = 1/(1/D + 1/I): decoding alone and inference alone, each with all cores."""
    return _bounds(bench, "one-view", {"web": 1200, "camera": 240})


def bound_shipped(bench: Bench) -> Figures:
    """The same with the shipped model and its views."""
    return _bounds(bench, "shipped", {"web": 600, "camera": 180})


def _bounds(bench: Bench, name: str, wanted: dict[str, int]) -> Figures:
    figures: Figures = {}
    for kind, count in wanted.items():
        with _folder(bench) as folder:
            given = bench.given(bench.subject(name), kind, count)
            cases = {
                "D": Case("decode", given),
                "I": Case("infer", given),
                "dfscan": Case("dfscan", given),
                "dfscan-cache": Case("dfscan", {**given, "cache": str(folder / "cache")}),
            }
            measured = _fresh_cache(folder, cases, bench.rounds)
        figures[f"{name}, {kind}"] = _against_bound(measured) | {"pictures": given["limit"]}
    return figures


def _fresh_cache(folder: Path, cases: dict[str, Case], rounds: int) -> dict[str, Measured]:
    """In turns, with an empty cache in every round."""
    one_by_one: list[dict[str, Measured]] = []
    for _ in range(rounds):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        one_by_one.append(in_turns(cases, 1))
    return {name: Measured(tuple(m[name].rounds[0] for m in one_by_one)) for name in cases}


def _against_bound(measured: dict[str, Measured]) -> Figures:
    """Every case's own figures, H, and how close dfscan comes to it, round by round."""
    bounds = []
    for d, i in zip(measured["D"].rounds, measured["I"].rounds, strict=True):
        seconds = d["seconds"] / d["pictures"] + i["seconds"] / i["pictures"]
        cpu = d["cpu"] / d["pictures"] + i["cpu"] / i["pictures"]
        bounds.append({"pictures": 1, "seconds": seconds, "cpu": cpu})
    limit = Measured(tuple(bounds))
    figures = {name: m.as_json() for name, m in measured.items()}
    figures["H"] = {"pictures_per_second": round(limit.rate, 3), "cpu_ms_per_picture": round(1000 * limit.cpu, 3)}
    for name in ("dfscan", "dfscan-cache"):
        figures[f"{name} / H"] = round(paired(measured[name], limit), 3)
        figures[f"{name} / H by CPU time"] = round(paired(measured[name], limit, "cpu"), 3)
    return figures


def loops_one_view(bench: Bench) -> Figures:
    """dfscan against the loops that a user would write around the same network."""
    return _loops(bench, "one-view", {"web": (64, 600), "camera": (32, 120)})


def loops_shipped(bench: Bench) -> Figures:
    """The same with the shipped model and its views."""
    return _loops(bench, "shipped", {"web": (16, 60), "camera": (8, 40)})


def _loops(bench: Bench, name: str, wanted: dict[str, tuple[int, int]]) -> Figures:
    """`wanted`: pictures for the users' loops, which are slow, and for dfscan."""
    figures: Figures = {}
    subject = bench.subject(name)
    for kind, (few, many) in wanted.items():
        given = bench.given(subject, kind, few)
        cases = {
            "dfscan": Case("dfscan", bench.given(subject, kind, many)),
            "Keras, one picture a call": Case("keras", given),
            "Keras, batches of 32 views": Case("keras", {**given, "together": 32}),
            "ONNX Runtime, one picture a call": Case("onnxruntime", given),
        }
        if subject.views > 1:
            cases["Keras, one view a call"] = Case("keras", {**given, "together": 1})
        if has_torch_loop(subject.network, subject.views):
            cases["PyTorch, one picture a call"] = Case("torch", given)
        measured = in_turns(cases, bench.rounds)
        ours = measured["dfscan"]
        figures[f"{name}, {kind}"] = {
            case: m.as_json()
            | {"dfscan is faster by": round(paired(ours, m), 2), "by CPU time": round(paired(ours, m, "cpu"), 2)}
            for case, m in measured.items()
        }
    return figures


def workers(bench: Bench) -> Figures:
    """All workers against one, and how many workers dfscan's own process can keep busy."""
    figures: Figures = {}
    for kind, wanted in (("web", 1000), ("camera", 180)):
        given = bench.given(bench.one_view, kind, wanted)
        cases = {"one worker": Case("dfscan", {**given, "workers": 1}), "all workers": Case("dfscan", given)}
        measured = in_turns(cases, bench.rounds)
        figures[f"one-view, {kind}"] = {name: m.as_json() for name, m in measured.items()} | {
            "workers": usable_cpus(),
            "all / one": round(paired(measured["all workers"], measured["one worker"]), 3),
        }
    return figures | {"simulated": _simulated(bench)}


def _simulated(bench: Bench) -> Figures:
    """Workers that sleep as long as a web picture takes: 7 ms for one view, 90 ms for thirteen."""
    curve: Figures = {}
    for name, nap, chunk, each in (("one-view, web", 0.007, 8, 600), ("thirteen views, web", 0.090, 1, 40)):
        rates = {}
        for count in (1, 2, 4, 8, 16):
            given = {"model": bench.one_view.option, "workers": count, "chunk": chunk, "nap": nap,
                     "limit": bench.count(each * count)}  # fmt: skip
            measured = run_loop(Case("sleep", given))
            rates[str(count)] = {
                "pictures_per_second": round(measured["pictures"] / measured["seconds"], 2),
                "of_perfect": round(measured["pictures"] / measured["seconds"] * nap / count, 4),
                "own_cpu_ms_per_picture": round(1000 * measured["cpu"] / measured["pictures"], 4),
            }
        curve[name] = rates
    return curve


def memory(bench: Bench) -> Figures:
    """Peak resident memory of dfscan and its workers over 1,000 and over 10,000 files."""
    pictures = sorted(path for path in bench.pictures("web").rglob("*") if path.is_file())
    figures: Figures = {}
    for wanted in (1000, 10_000):
        count = bench.count(wanted)
        with _folder(bench) as folder:
            for number in range(count):
                os.link(pictures[number % len(pictures)], folder / f"{number:06}.jpg")
            given = {"model": bench.one_view.option, "pictures": str(folder)}
            measured = run_loop(Case("dfscan", given))
        figures[f"{wanted} files"] = {
            "files": count,
            "peak_mb": round(measured["peak"] / 1e6, 1),
            "pictures_per_second": round(measured["pictures"] / measured["seconds"], 2),
        }
    peaks = [figures[f"{wanted} files"]["peak_mb"] for wanted in (1000, 10_000)]
    return figures | {"10,000 / 1,000": round(peaks[1] / peaks[0], 3)}


def rescan(bench: Bench) -> Figures:
    """A second run over unchanged files: the walk with its look-ups against scandir and stat, and the whole command."""
    entries = bench.count(10_000)
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "walk_cache.py"), "rescan", "--entries", str(entries)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"stat ([\d.]+) us, walk and look-up ([\d.]+) us, ratio ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"walk_cache.py said: {done.stdout}{done.stderr}")
    bare, looked, ratio = map(float, found.groups())
    with _folder(bench) as folder:
        command = ["-m", "scanner", str(bench.pictures("web")), "--model", bench.one_view.option, "--exit-zero",
                   "--cache", str(folder / "cache")]  # fmt: skip
        first, second = (run_command(command) for _ in range(2))
    return {
        "entries": entries,
        "scandir_and_stat_us": bare,
        "walk_and_look_up_us": looked,
        "ratio": ratio,
        "first_run": first,
        "second_run": second,
    }


def startup(bench: Bench) -> Figures:
    """The CPU time of `dfscan --help` against bare Python's, and one picture from the command line to its record."""
    pictures = sorted(path for path in bench.pictures("web").rglob("*") if path.is_file())
    scan = ["-m", "scanner", str(pictures[0]), "--no-cache", "--exit-zero", "--model"]
    commands = {
        "bare python": ["-c", "pass"],
        "--help": ["-m", "scanner", "--help"],
        "--version": ["-m", "scanner", "--version"],
        "one picture, shipped": [*scan, bench.shipped.option],
        "one picture, one-view": [*scan, bench.one_view.option],
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(max(bench.rounds, round(9 * min(1, bench.scale * 4)))):
        for name, command in commands.items():
            results[name].append(run_command(command))
    figures: Figures = {}
    for name, rounds in results.items():
        seconds, cpu = (sorted(r[key] for r in rounds) for key in ("seconds", "cpu"))
        figures[name] = {
            "wall_ms": round(1000 * seconds[len(seconds) // 2], 1),
            "least_wall_ms": round(1000 * seconds[0], 1),
            "cpu_ms": round(1000 * cpu[len(cpu) // 2], 1),
        }
    figures["--help / bare python"] = round(figures["--help"]["cpu_ms"] / figures["bare python"]["cpu_ms"], 2)
    return figures


def costs(bench: Bench) -> Figures:
    """What reports, cache and provenance cost, on the cheapest scan there is (so they cost less on every other)."""
    given = bench.given(bench.one_view, "web", 1000)
    with _folder(bench) as folder:
        cases = {
            "no provenance": Case("dfscan", {**given, "evidence": False}),
            "plain": Case("dfscan", given),
            "cache": Case("dfscan", {**given, "cache": str(folder / "cache")}),
        }
        measured = _fresh_cache(folder, cases, bench.rounds)
        reports = [word for ending in ("jsonl", "json", "csv") for word in ("-o", str(folder / f"report.{ending}"))]
        page = ["-o", str(folder / "report.html")]
        wanted = {"JSONL to a pipe": [], "JSONL, JSON and CSV files": reports, "HTML with thumbnails": page}
        written = _commands(bench, given, wanted)
        pages = {
            f"{name}, {kind}": _commands(
                bench, bench.given(bench.subject(name), kind, count), {"pipe": [], "page": page}
            )
            for name, kind, count in (("one-view", "camera", 240), ("shipped", "web", 500), ("shipped", "camera", 120))
        }
    return {
        **{name: m.as_json() for name, m in (measured | written).items()},
        "cost of provenance": _cost(measured["plain"], measured["no provenance"]),
        "cost of the cache": _cost(measured["cache"], measured["plain"]),
        "cost of three reports beside one": _cost(written["JSONL, JSON and CSV files"], written["JSONL to a pipe"]),
        "cost of an HTML report": _cost(written["HTML with thumbnails"], written["JSONL to a pipe"]),
        **{f"cost of an HTML report, {name}": _cost(m["page"], m["pipe"]) for name, m in pages.items()},
    }


def _commands(bench: Bench, given: dict[str, Any], wanted: dict[str, list[str]]) -> dict[str, Measured]:
    """The whole command with different reports, in turns."""
    base = ["-m", "scanner", given["pictures"], "--limit", str(given["limit"]), "--model", given["model"],
            "--exit-zero", "--no-cache", "--no-progress"]  # fmt: skip
    results: dict[str, list[dict[str, float]]] = {name: [] for name in wanted}
    for _ in range(bench.rounds):
        for name, more in wanted.items():
            results[name].append(run_command([*base, *more]) | {"pictures": given["limit"]})
    return {name: Measured(tuple(rounds)) for name, rounds in results.items()}


def remote_costs(bench: Bench) -> Figures:
    """A picture in S3 against the same one in a folder; see benchmarks/remote_cost.py."""
    from benchmarks.remote_cost import remote_cost

    figures: Figures = {}
    for kind, wanted in (("web", 120), ("camera", 24)):
        with _folder(bench) as folder:
            count = bench.count(wanted) + 2
            figures[f"shipped, {kind}"] = remote_cost(
                bench.pictures(kind), count, bench.shipped.option, folder, bench.rounds
            )
    return figures


def shipped_models(bench: Bench) -> Figures:
    """Speed and accuracy of every shipped model; see benchmarks/pareto.py."""
    from benchmarks.pareto import pareto

    return pareto(bench)


def _cost(more: Measured, less: Measured) -> Figures:
    """The share of the throughput that is lost."""
    return {"by wall clock": round(1 - paired(more, less), 4), "by CPU time": round(1 - paired(more, less, "cpu"), 4)}


@contextlib.contextmanager
def _folder(bench: Bench) -> Iterator[Path]:
    """A folder beside the pictures (so that hard links hold), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=bench.work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "startup": startup,
    "bound-one-view": bound_one_view,
    "bound-shipped": bound_shipped,
    "loops-one-view": loops_one_view,
    "loops-shipped": loops_shipped,
    "workers": workers,
    "memory": memory,
    "rescan": rescan,
    "pareto": shipped_models,
    "costs": costs,
    "remote-cost": remote_costs,
}
