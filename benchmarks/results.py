"""Results on disk: one JSON file a part, named by the conditions it was measured under."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.parts import Bench
from scanner import __version__
from scanner.engine.cpus import usable_cpus

_LIBRARIES = ("onnxruntime", "pillow", "simplejpeg", "numpy", "keras", "tensorflow-cpu", "torch", "openvino")


def conditions(bench: Bench) -> dict[str, Any]:
    """What the figures depend on beside the code; the load is that before the part began."""
    return {
        "dfscan": __version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": _cpu(),
        "cpus": usable_cpus(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        "shipped_model": bench.shipped.name,
        "views": bench.shipped.views,
        "networks": {"shipped": bench.shipped.about, "one-view": bench.one_view.about},
        "pictures": [folder.name for folder in bench.folders] or "made here",
        "rounds": bench.rounds,
    }


def store(folder: Path, part: str, under: dict[str, Any], figures: dict[str, Any]) -> Path:
    """Write the result of a part; a later one under the same conditions takes its place."""
    words = (part, under["date"], under["cpu"], f"{under['cpus']}cpus", under["shipped_model"])
    name = "_".join(re.sub(r"[^a-z0-9.]+", "-", str(word).lower()).strip("-") for word in words)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"part": part, "conditions": under, "figures": figures}, indent=1) + "\n", "utf-8")
    return path


def newest(folder: Path) -> dict[str, dict[str, Any]]:
    """The newest result of every part there is."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    results.sort(key=lambda result: result["conditions"]["date"])
    return {result["part"]: result for result in results}


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
