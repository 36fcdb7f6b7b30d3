"""The plots of docs/performance.md, as SVG that is the same for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

matplotlib.rcParams["svg.hashsalt"] = "dfscan"


def plot_loops(figures: dict[str, Any], path: Path) -> None:
    """Pictures a second of every loop, a panel for each network and kind of picture."""
    figure = Figure(figsize=(9.6, 1.9 * len(figures)), layout="constrained")
    for axes, (name, cases) in zip(figure.subplots(len(figures), 1, squeeze=False)[:, 0], figures.items(), strict=True):
        labels = list(cases)[::-1]
        rates = [cases[label]["pictures_per_second"] for label in labels]
        colours = ["tab:blue" if label == "dfscan" else "tab:grey" for label in labels]
        bars = axes.barh(labels, rates, color=colours)
        axes.bar_label(bars, [f"{rate:.1f}" for rate in rates], padding=3)
        axes.set(title=name, xlabel="pictures a second", xlim=(0, 1.15 * max(rates)))
    _save(figure, path)


def plot_curve(curve: dict[str, Any], path: Path) -> None:
    """Simulated workers: throughput against their number, beside perfect scaling."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, rates in curve.items():
        counts = [int(count) for count in rates]
        single = rates["1"]["pictures_per_second"]
        axes.plot(counts, [rates[str(count)]["pictures_per_second"] / single for count in counts], "o-", label=name)
    axes.plot([1, max(counts)], [1, max(counts)], "--", color="grey", label="perfect")
    axes.set(xlabel="workers", ylabel="times one worker", title="Workers that sleep instead of working")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def plot_scale(
    plans: list[dict[str, Any]], sizes: list[dict[str, Any]], lives: list[dict[str, Any]], path: Path
) -> None:
    """Simulated clusters: rate against workers, and the share of time that is of use against the size of shards."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    rates, use = figure.subplots(1, 2)
    for pictures in sorted({plan["pictures"] for plan in plans}):
        curve = [plan for plan in plans if plan["pictures"] == pictures]
        workers = [plan["workers"] for plan in curve]
        rates.loglog(workers, [plan["pictures_per_second"] for plan in curve], "o-", label=f"{pictures:,} pictures")
    single = plans[0]["pictures_per_second"] / plans[0]["workers"]
    most = max(plan["workers"] for plan in plans)
    rates.loglog([1, most], [single, single * most], "--", color="grey", label="perfect")
    rates.set(xlabel="workers (cores)", ylabel="pictures a second", title="Rate")
    use.semilogx([plan["shard"] for plan in sizes], [plan["of_use"] for plan in sizes], "o-", label="20 h a worker")
    for hours in sorted({plan["lifetime_hours"] for plan in lives}):
        curve = [plan for plan in lives if plan["lifetime_hours"] == hours]
        label = f"{hours:g} h a worker"
        use.semilogx([plan["shard"] for plan in curve], [plan["of_use"] for plan in curve], "s--", label=label)
    use.set(xlabel="files a shard", ylabel="share of the workers' time", ylim=(0, 1), title="Of use, 256 workers")
    for axes in (rates, use):
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def plot_pareto(figures: dict[str, Any], path: Path) -> None:
    """Speed against AUC on test, a point for each model and condition; the best lie at the upper right."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    told = [
        (f["pictures_per_second"]["web"], name, f["auc"]["test"]) for name, f in figures.items() if f["auc"].get("test")
    ]
    told.sort()
    for condition in dict.fromkeys(condition for *_, aucs in told for condition in aucs):
        points = [(rate, aucs[condition]) for rate, _, aucs in told if condition in aucs]
        axes.plot(*zip(*points, strict=True), "o-", label=condition)
    for rate, name, aucs in told:
        axes.annotate(name, (rate, max(aucs.values())), (0, 6), textcoords="offset points", ha="center")
    axes.set(xlabel="web pictures a second", ylabel="AUC on test", title="Shipped models", xscale="log")
    axes.set_xticks([rate for rate, *_ in told], [f"{rate:.3g}" for rate, *_ in told])
    axes.set_xticks([], minor=True)
    axes.margins(0.2)
    axes.grid(alpha=0.3)
    if told:
        axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
