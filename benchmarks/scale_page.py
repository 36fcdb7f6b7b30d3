"""docs/scale.md and its plot, from benchmarks/scale.md and the newest results; no figure on it is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import newest
from benchmarks.scale_simulation import KEYS_A_LISTING

Figures = dict[str, Any]

_TEMPLATE = Path(__file__).with_name("scale.md")


def write_scale_page(results: Path, docs: Path) -> Path:
    """Write the page into `docs`; what has not been measured says by which command it will be."""
    found = newest(results)
    docs.mkdir(parents=True, exist_ok=True)

    def filled(match: re.Match[str]) -> str:
        name, _, part = match[1].partition(" of ")
        if part not in found:
            return f"*(not measured yet: `python -m benchmarks {part}`)*"
        return _MAKERS[name](found[part]["figures"], found[part]["conditions"])

    page = docs / "scale.md"
    page.write_text(re.sub(r"@\{([^}]+)\}", filled, _TEMPLATE.read_text("utf-8")), "utf-8")
    if "scale-simulation" in found:
        from benchmarks.plots import plot_scale

        f = found["scale-simulation"]["figures"]
        plot_scale(f["plans"], f["shard sizes"], f["short lives"], docs / "scale.svg")
    return page


def _plans(f: Figures, under: Figures) -> str:
    rows = [
        f"| {p['pictures']:,} | {p['workers']:,} | {p['shard']:,} | {_hours(p['scanning_hours'])} | "
        f"{p['pictures_per_second']:,.0f} | {p['core_hours']:,.0f} | {p['of_use']:.0%} | {p['deaths']:,} | "
        f"{p['dollars']:,.0f} |"
        for p in f["plans"]
    ]
    head = "| pictures | cores | files a shard | scanning | pictures/s | core hours | of use | deaths | US$ |"
    return "\n".join([head, "|" + "---|" * 9, *rows])


def _fixed(f: Figures, under: Figures) -> str:
    rows = []
    for pictures in sorted({p["pictures"] for p in f["plans"]}):
        p = next(p for p in f["plans"] if p["pictures"] == pictures)
        lists = pictures / KEYS_A_LISTING
        prices = f["prices"]
        rows.append(
            f"| {pictures:,} | {lists:,.0f} | {_hours(p['listing_hours'])} | "
            f"{lists / 1000 * prices['1,000 LIST or PUT']:,.2f} | {pictures / 1000 * prices['1,000 GET']:,.2f} | "
            f"{_hours(p['verifying_hours'])} |"
        )
    head = "| pictures | listing requests | one listing | LIST, US$ | GET, US$ | `merge`, one process |"
    return "\n".join([head, "|" + "---|" * 6, *rows])


def _sizes(f: Figures, under: Figures) -> str:
    lives = {hours: [p for p in f["short lives"] if p["lifetime_hours"] == hours] for hours in (2, 0.5)}
    by_size = {hours: {p["shard"]: p["of_use"] for p in plans} for hours, plans in lives.items()}
    rows = [
        f"| {p['shard']:,} | {p['shard'] * f['assumed']['picture']:,.0f} s | {p['of_use']:.0%} | "
        + " | ".join(f"{by_size[hours][p['shard']]:.0%}" if p["shard"] in by_size[hours] else "" for hours in (2, 0.5))
        + " |"
        for p in f["shard sizes"]
    ]
    head = "| files a shard | time of a shard | of use, 20 h a worker | 2 h a worker | half an hour a worker |"
    return "\n".join([head, "|" + "---|" * 5, *rows])


def _assumed(f: Figures, under: Figures) -> str:
    a, of = f["assumed"], f["a picture's time is of"]
    return (
        f"a core takes {1000 * a['picture']:.0f} ms for a web picture (`bound-shipped` of {of['date']}, {of['cpu']}, "
        f"{of['cpus']} cores) and `merge` proves {a['verify_rows']:,.0f} rows a second (measured in this part); "
        f"assumed are a deviation of {a['spread']:.0%} from picture to picture, {a['start']:.0f} s until a new worker "
        f"serves, {a['lifetime'] / 3600:.0f} h until one is killed, {1000 * a['listing']:.0f} ms for a page of a "
        f"listing, and {1000 * a['shard_overhead']:.0f} ms between two shards"
    )


def _prices(f: Figures, under: Figures) -> str:
    return ", ".join(f"{price:g} for {unit}" for unit, price in f["prices"].items())


def _chaos(f: Figures, under: Figures) -> str:
    kills = f["workers killed"]
    other = f["other verdicts than the local engine"]
    return (
        f"{f['objects']:,} objects; {kills['actors']} actors and {kills['children']} of their children killed at "
        f"random, the driver once (after {f['driver killed after shards']} shards): **{f['rows']:,} rows, "
        f"{f['duplicates']} duplicates, {f['missing']} missing, {other} other than the local engine's** "
        f"({', '.join(f'{count:,} {name}' for name, count in f['statuses'].items())}; failures: "
        f"{', '.join(f'{count} {name}' for name, count in sorted(f['failures'].items()))})"
    )


def _throughput(f: Figures, under: Figures) -> str:
    rows = [
        f"| {name} | {run['pictures']:,} | {run['steady_seconds']:.0f} | {run['pictures_per_second']:.1f} | "
        f"{run['seconds_to_first_part']:.1f} |"
        for name in ("local", "ray")
        for run in f[name]
    ]
    head = "| engine | pictures | steady s | pictures/s | s to the first part |"
    return "\n".join([head, "|" + "---|" * 5, *rows, "", f"Ray / local: **{f['ray / local']:.2f}** (bound: 0.8)."])


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


_MAKERS: dict[str, Callable[[Figures, Figures], str]] = {
    "plans": _plans, "fixed": _fixed, "sizes": _sizes, "assumed": _assumed, "prices": _prices, "chaos": _chaos,
    "throughput": _throughput,
}  # fmt: skip
