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


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
