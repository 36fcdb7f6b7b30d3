"""Every shipped model's speed in one run, beside how well it tells: what another model buys, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measure import Case, in_turns
from benchmarks.parts import Bench, Figures
from scanner.model import Model, load_model, shipped_models

_CONDITIONS = ("as-is", "web", "hard")


def pareto(bench: Bench) -> Figures:
    """The whole of dfscan over web and camera pictures with each model, in turns, and the models' AUC."""
    shipped = shipped_models()
    found = measure(bench, [*shipped, *bench.alternatives])
    return {name: about | {"shipped": name in shipped} for name, about in found.items()}


def measure(bench: Bench, models: Sequence[str]) -> Figures:
    """The same for any models, by the names or folders that `--model` takes."""
    loaded = {name: load_model(name) for name in models}
    rates: dict[str, dict[str, float]] = {name: {} for name in models}
    for kind, count in (("web", 120), ("camera", 48)):
        given = bench.given(bench.shipped, kind, count)
        cases = {name: Case("dfscan", {**given, "model": name}) for name in models}
        for name, measured in in_turns(cases, bench.rounds).items():
            rates[name][kind] = round(measured.rate, 3)
    return {model.name: _about(model) | {"pictures_per_second": rates[name]} for name, model in loaded.items()}


def _about(model: Model) -> dict[str, Any]:
    """What model.json says of itself."""
    measured = model.card.get("measured", {})
    return {
        "version": model.version,
        "views": sum(group.count for group in model.views.groups),
        "megabytes": round(model.graph.stat().st_size / 1e6, 1),
        "auc": {
            split: {name: measured[split][name]["auc"] for name in _CONDITIONS if name in measured[split]}
            for split in ("test", "val")
            if split in measured
        },
    }


def model_rows(figures: Figures) -> tuple[tuple[str, ...], list[str]]:
    """Head and rows of the page's table, the fastest model first."""
    head = ("model", "views", "MB", "web pictures/s", "camera pictures/s", "AUC on test: as is, web, hard", "on val")
    rows = []
    for name, f in sorted(figures.items(), key=lambda item: -item[1]["pictures_per_second"]["web"]):
        aucs = [
            " / ".join(f"{auc:.3f}" for auc in f["auc"].get(split, {}).values()) or "-" for split in ("test", "val")
        ]
        speeds = [f"{f['pictures_per_second'][kind]:.1f}" for kind in ("web", "camera")]
        told = name if f.get("shipped", True) else f"{name}, not in the package"
        rows.append("| " + " | ".join([told, str(f["views"]), f"{f['megabytes']:.1f}", *speeds, *aucs]) + " |")
    return head, rows
