"""docs/performance.md and its plots, made from the newest results; no figure on the page is typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bounds import bounds
from benchmarks.inference_page import (
    described,
    gpu_section,
    loops_text,
    networks,
    not_yet,
    openvino_section,
    rows_section,
    sessions_section,
    table,
)
from benchmarks.pareto import model_rows
from benchmarks.plots import plot_curve, plot_loops, plot_pareto
from benchmarks.results import newest

Figures = dict[str, Any]

_HEAD = """# Performance

<!-- Made by `python -m benchmarks page`; change benchmarks/page.py, not this file. -->

Figures of `python -m benchmarks` on the machine named below, which had other work to do (see its load). What counts
are the **ratios**: they compare loops that ran in turns, over the same pictures, with the same network and the same
views. Your own: `pip install '.[export]'`, then `python -m benchmarks` (each part takes about two minutes on two idle
cores; `--pictures WEB CAMERA` takes your folders).
"""

_BOUND = """## How close to what the machine can do

Decoding and inference share the cores of a CPU, so the bound is not the slower of the two but both, one after the
other: **H = 1 / (1/D + 1/I)**.

- **D**, decoding alone: reading a file, decoding it and cutting its views with dfscan's own code, one process a core
  with the memory settings of dfscan's workers. No network, no hash, no provenance, no record.
- **I**, inference alone: views cut beforehand, through dfscan's own session (one thread a core) in dfscan's own
  batches, one process a core.
- **dfscan**: the default configuration: every file in a guarded child process, SHA-256 and provenance of every file,
  records in order, all workers. From the first file to the last record with the workers running, as for D and I.
  Without and with the cache (empty at the start).

CPU time is the steadier measure on a machine that has other work as well; wall clock is what a user waits for.
"""

_BOUNDS = """## The bounds

What dfscan is to reach, and what was measured: by the wall clock and, where it can be told, by CPU time. "Kept" means
by both; for the loops of others by the wall clock, since CPU time does not show the cores that they leave idle. Every
ratio is the median over rounds in which the loops ran in turns. On a machine with other work (the load in the table
above; each part adds its own to that of the next), ratios by the wall clock are noise to a large part and those by CPU
time the steadier ones.

"""

_WITHOUT = {
    "bound-one-view": "dfscan / H, one-view | at least 0.92 web, 0.90 camera",
    "bound-shipped": "dfscan / H, shipped | at least 0.92 web, 0.90 camera",
    "loops-one-view": "Times the rate of Keras, one picture a call; one-view | at least 15 web, 7 camera",
    "loops-shipped": "Times the rate of Keras, one picture a call; shipped | at least 6",
    "workers": "All workers against one | at least 0.875 times their number",
    "memory": "Memory at 10,000 files / at 1,000 | at most 1.10",
    "costs": "Throughput lost by reports, cache or provenance | at most 5 %",
    "rescan": "Rescan / scandir and stat | at most 4.00",
    "startup": "CPU time of --help / of bare Python | at most 8.00",
    "gpu": "GPU / the slower of decoding and inference | at least 0.85",
}
"""What the page says of a part without a result."""

_MORE_CORES = """
A core more is a worker more: nothing is shared but dfscan's own process, which walks, keeps the order, judges and
reports. How far it reaches is **simulated**: workers that sleep as long as a picture takes (7 ms for one view of a web
picture, 90 ms for thirteen views) in place of working. Throughput, as a share of perfect scaling:

"""

_MEMORY = """## Memory

Peak resident memory of dfscan and all its workers (what they share is counted for each): web pictures, one view.

"""

_COSTS = """## What the extras cost

Lost throughput on the cheapest scan there is (one view of a web picture), and of an HTML report on others as well.
Below the noise of the measurement it may be negative.

"""

_REMOTE = """
## What a store costs

The same pictures in a folder and in an S3 server on loopback (moto, in a process of its own), scanned in turns:
dfscan's own CPU time, all its processes together, the server's left out. A run's start (interpreter, model, and for S3
the libraries of AWS) is measured apart and taken off. The bound is 1.3; see [Object stores and URLs](remote.md).

"""

_PARETO = """
## Which model

Every shipped model over the same pictures, in turns, all cores: what `--model fast` buys and costs. AUC is from the
models' cards. Models that the package does not have were named by `--also`.

"""

_PICTURES = {"web": "500 x 375 pixels", "camera": "12 megapixels"}


def write_page(results: Path, docs: Path) -> Path:
    """Write the page and its plots below `docs`; returns the page."""
    found = {part: result for part, result in newest(results).items() if part in _SECTIONS or part == "gpu"}
    docs.mkdir(parents=True, exist_ok=True)
    sections = [_HEAD, _conditions(found), _bounds(found)]
    for part, section in _SECTIONS.items():
        if part in found:
            if part == "loops-one-view":
                loops = [found[name]["conditions"] for name in ("loops-one-view", "loops-shipped") if name in found]
                sections.append(loops_text(loops))
            sections.append(section(found[part]["figures"], docs))
    sections += [gpu_section(found["gpu"]["figures"] if "gpu" in found else None), not_yet(found)]
    page = docs / "performance.md"
    page.write_text("\n".join(section.strip() + "\n" for section in sections), encoding="utf-8")
    return page


def _conditions(found: dict[str, dict[str, Any]]) -> str:
    lines = []
    for part, result in found.items():
        under = result["conditions"]
        both = networks(under)
        pictures = under["pictures"] if isinstance(under["pictures"], str) else ", ".join(under["pictures"])
        lines.append(
            f"| {part} | {under['date']} | {under['cpu']}, {under['cpus']} cores | {under['load_before']} | "
            f"{described(both['shipped'])}, {under['views']} views | {described(both['one-view'])} | {pictures} | "
            f"{under['rounds']} |"
        )
    libraries = next(iter(found.values()))["conditions"] if found else {"libraries": {}, "python": "", "dfscan": ""}
    versions = ", ".join(f"{name} {version}" for name, version in libraries["libraries"].items())
    head = ("part", "date", "machine", "load before", "shipped model", "one-view network", "pictures", "rounds")
    return table(head, lines) + (
        f"\ndfscan {libraries['dfscan']}, Python {libraries['python']}, {versions}. "
        "The load is that of other work on the machine.\n"
    )


def _bounds(found: dict[str, dict[str, Any]]) -> str:
    rows = [bound.as_row() for bound in bounds({part: result["figures"] for part, result in found.items()})]
    rows += [f"| {what} | not measured |  |  |" for part, what in _WITHOUT.items() if part not in found]
    return _BOUNDS + table(("what", "bound", "measured", "by CPU time", "kept"), rows)


def _bound_one_view(figures: Figures, docs: Path) -> str:
    return _BOUND + "\nPictures a second, one view:\n\n" + _bound(figures)


def _bound_shipped(figures: Figures, docs: Path) -> str:
    return "Pictures a second, the shipped model:\n\n" + _bound(figures)


def _bound(figures: Figures) -> str:
    lines = []
    for name, case in figures.items():
        rates = [case[key]["pictures_per_second"] for key in ("D", "I", "H", "dfscan", "dfscan-cache")]
        lines.append(
            f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + f" | **{case['dfscan / H']:.2f}** "
            f"({case['dfscan / H by CPU time']:.2f}) | **{case['dfscan-cache / H']:.2f}** "
            f"({case['dfscan-cache / H by CPU time']:.2f}) | {case['pictures']} |"
        )
    head = (
        "network, pictures", "D", "I", "H", "dfscan", "with cache", "dfscan / H (CPU)", "with cache / H (CPU)", "files",
    )  # fmt: skip
    return table(head, lines)


def _loops_one_view(figures: Figures, docs: Path) -> str:
    return _loops(figures, docs / "performance-one-view.svg")


def _loops_shipped(figures: Figures, docs: Path) -> str:
    return _loops(figures, docs / "performance-shipped.svg")


def _loops(figures: Figures, plot: Path) -> str:
    plot_loops(figures, plot)
    text = f"\n![Pictures a second of each loop]({plot.name})\n"
    for name, cases in figures.items():
        kind = name.rsplit(", ", 1)[1]
        lines = [
            f"| {case} | {m['rounds'][0]['pictures']} | {m['pictures_per_second']:.2f} | "
            f"{m['cpu_ms_per_picture']:.0f} | "
            + ("|  |" if case == "dfscan" else f"**{m['dfscan is faster by']:.1f}** | {m['by CPU time']:.1f} |")
            for case, m in cases.items()
        ]
        head = ("loop", "files", "pictures/s", "CPU ms a picture", "dfscan faster by", "less CPU by")
        text += f"\n**{name}** ({_PICTURES.get(kind, kind)})\n\n" + table(head, lines)
    return text


def _workers(figures: Figures, docs: Path) -> str:
    lines = [
        f"| {name} | {f['one worker']['pictures_per_second']:.1f} | {f['all workers']['pictures_per_second']:.1f} | "
        f"{f['workers']} | **{f['all / one']:.2f}** |"
        for name, f in figures.items()
        if name != "simulated"
    ]
    plot_curve(figures["simulated"], docs / "performance-workers.svg")
    simulated = [
        f"| {name} | " + " | ".join(f"{rates[count]['of_perfect']:.2f}" for count in rates) + " | "
        f"{list(rates.values())[-1]['own_cpu_ms_per_picture']:.3f} |"
        for name, rates in figures["simulated"].items()
    ]
    counts = list(next(iter(figures["simulated"].values())))
    return (
        "## More cores\n\n"
        + table(("network, pictures", "one worker", "all workers", "workers", "all / one"), lines)
        + _MORE_CORES
        + table(("workers", *counts, "own CPU ms a picture"), simulated)
        + "\n![Simulated workers](performance-workers.svg)\n"
    )


def _memory(figures: Figures, docs: Path) -> str:
    lines = [
        f"| {f['files']:,} | {f['peak_mb']:.0f} | {f['pictures_per_second']:.1f} |"
        for f in figures.values()
        if isinstance(f, dict)
    ]
    return (
        _MEMORY
        + table(("files", "MB", "pictures/s"), lines)
        + f"\nTen times the files: **{figures['10,000 / 1,000']:.2f}** times the memory.\n"
    )


def _rescan(figures: Figures, docs: Path) -> str:
    first, second = (figures[run]["seconds"] for run in ("first_run", "second_run"))
    return (
        "## Scanning again\n\n"
        f"Over {figures['entries']:,} unchanged files, the walk with its look-up in the cache takes\n"
        f"{figures['walk_and_look_up_us']:.1f} us of CPU a file; scandir and stat alone take\n"
        f"{figures['scandir_and_stat_us']:.1f} us: **{figures['ratio']:.1f}** times.\n"
        f"The whole command over the web pictures: {first:.2f} s the first time, {second:.2f} s the second.\n"
    )


def _startup(figures: Figures, docs: Path) -> str:
    lines = [
        f"| {name} | {f['wall_ms']:.0f} | {f['least_wall_ms']:.0f} | {f['cpu_ms']:.0f} |"
        for name, f in figures.items()
        if isinstance(f, dict)
    ]
    return (
        "## Start-up\n\nThe whole command, from its start to its end.\n\n"
        + table(("command", "wall ms", "least wall ms", "CPU ms"), lines)
        + f"\n`--help` takes **{figures['--help / bare python']:.1f}** times the CPU time of bare Python.\n"
    )


def _costs(figures: Figures, docs: Path) -> str:
    lines = [
        f"| {name.removeprefix('cost of ')} | {100 * f['by wall clock']:.1f} % | {100 * f['by CPU time']:.1f} % |"
        for name, f in figures.items()
        if name.startswith("cost of")
    ]
    return _COSTS + table(("", "by wall clock", "by CPU time"), lines)


def _remote_cost(figures: Figures, docs: Path) -> str:
    lines = [
        f"| {name} | {f['pictures']} | {f['megabytes']:.1f} | {f['local']['cpu_ms_per_picture']:.1f} | "
        f"{f['remote']['cpu_ms_per_picture']:.1f} | {f['remote / local']:.2f} | {f['with both starts']:.2f} |"
        for name, f in figures.items()
    ]
    head = ("network, pictures", "pictures", "MB", "folder, CPU ms a picture", "S3, CPU ms a picture",
            "S3 / folder", "whole runs, with their starts")  # fmt: skip
    return _REMOTE + table(head, lines)


def _pareto(figures: Figures, docs: Path) -> str:
    plot_pareto(figures, docs / "performance-pareto.svg")
    return _PARETO + table(*model_rows(figures)) + "\n![Speed and AUC of each model](performance-pareto.svg)\n"


_SECTIONS = {
    "bound-one-view": _bound_one_view,
    "bound-shipped": _bound_shipped,
    "loops-one-view": _loops_one_view,
    "loops-shipped": _loops_shipped,
    "workers": _workers,
    "memory": _memory,
    "rescan": _rescan,
    "startup": _startup,
    "sessions": sessions_section,
    "rows": rows_section,
    "openvino": openvino_section,
    "pareto": _pareto,
    "costs": _costs,
    "remote-cost": _remote_cost,
}
