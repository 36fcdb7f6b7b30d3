"""`package`: the model folder that the scanner loads, made from a run that was converted and measured."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.card import card
from export.conditions import Condition
from export.evaluate import SCANNER
from export.family_head import family_table
from export.labels import Split
from export.runs import Run, read_json, write_json
from scanner.errors import InputError, UsageError
from scanner.model import FORMAT, load_model

DEFAULT_FPR = 0.01
"""Row of the threshold table that a scan takes unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """What `package` is asked to do."""

    run: Run
    out: Path
    name: str
    version: str = "1.0.0"
    licence: str = "Apache-2.0"
    notes: Path | None = None
    """Markdown that goes into the card: what the figures cannot tell."""
    overwrite: bool = False


def package(options: PackageOptions) -> Path:
    """Write model.onnx, model.json and MODEL_CARD.md, load them as the scanner does, and return the folder.

    Raises InputError where the run was not converted or not measured, UsageError where the folder is taken.
    """
    run = options.run
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", options.name):
        raise UsageError(f"a model's name is made of letters, digits, '.', '_' and '-', not {options.name!r}")
    if options.out.exists() and any(options.out.iterdir()) and not options.overwrite:
        raise UsageError(f"{options.out} is not empty; --overwrite replaces what is there")
    if not run.graph.exists():
        raise InputError(f"{run.folder} holds no model.onnx; run `python -m export convert` first")
    parity = read_json(run.folder / "parity.json")
    digest = hashlib.sha256(run.graph.read_bytes()).hexdigest()
    if not parity["passed"] or parity["sha256"] != digest:
        raise InputError(f"{run.folder}: model.onnx is not the graph that passed parity; convert again")
    about = model_json(options, parity)
    notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run.graph, options.out / "model.onnx")
    write_json(options.out / "model.json", about)
    (options.out / "MODEL_CARD.md").write_text(card(about, measured(run), notes), encoding="utf-8")
    load_model(f"{options.out}/")
    return options.out


def model_json(options: PackageOptions, parity: dict[str, Any]) -> dict[str, Any]:
    """model.json as the scanner reads it, with all that the card needs."""
    run = options.run
    found = measured(run)
    calibration = read_json(run.folder / "calibration.json")
    return {
        "format": FORMAT,
        "name": options.name,
        "version": options.version,
        "licence": options.licence,
        "created": datetime.now(UTC).strftime("%Y-%m-%d"),
        "sha256": parity["sha256"],
        "opset": parity["opset"],
        "classes": ["real", "ai-generated"],
        "input": {"name": "image", "type": "uint8", "shape": ["N", *[run.network_config.size] * 2, 3]},
        "views": run.views.as_json(),
        "calibration": {"method": "platt", "scale": calibration["scale"], "bias": calibration["bias"]},
        "calibrated_on": calibration["fitted_on"],
        "default_max_fpr": DEFAULT_FPR,
        "thresholds": calibration["thresholds"],
        "network": run.config["network"],
        "training": {
            "data_hash": run.config["data_hash"],
            "counts": _counts(run.config["training_data"]),
            "sources": run.config["training_data"],
            "versions": run.config["versions"],
        },
        "parity": parity,
        "measured": {
            split: {name: condition["figures"] for name, condition in data["conditions"].items()}
            for split, data in found.items()
        },
        "stability": {split: data["stability"] for split, data in found.items()},
        "families": family_table(run),
        "families_measured": {split: data["families"] for split, data in found.items()},
        "git_revision": git_revision(),
    }


def _counts(sources: dict[str, dict[str, dict[str, int]]]) -> dict[str, dict[str, dict[str, int]]]:
    return {
        split: {
            label: {"pictures": sum(by_source.values()), "sources": len(by_source)}
            for label, by_source in by_label.items()
        }
        for split, by_label in sources.items()
    }


def measured(run: Run) -> dict[str, Any]:
    """What `evaluate` wrote into the run, test first.

    Raises InputError unless both splits were measured through the scanner's own pipeline, under every condition:
    `train` leaves figures of validation that come from cached features.
    """
    found: dict[str, Any] = {}
    for split in (Split.TEST, Split.VALIDATION):
        path = run.folder / "evaluation" / split.value / "metrics.json"
        data = read_json(path) if path.exists() else {}
        whole = set(data.get("conditions", ())) == {condition.value for condition in Condition}
        if data.get("scored_by") != SCANNER or not whole:
            raise InputError(
                f"{run.folder} was not measured on {split.value}; "
                f"run `python -m export evaluate DATA --model {run.folder} --split {split.value}` first"
            )
        found[split.value] = data
    return found


def git_revision() -> str | None:
    """The revision of the code that runs, `-dirty` where it was changed; None outside a repository."""
    here = Path(__file__).parent
    try:
        revision = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return revision.stdout.strip() or None
