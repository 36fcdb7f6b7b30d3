"""The threshold file: written by `dfscan calibrate` as TOML or JSON, read by `--calibration` for its own model only."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scanner import __version__
from scanner.calibration.binomial import CONFIDENCE
from scanner.calibration.table import LeftOut, Row, Share
from scanner.errors import InputError, UsageError
from scanner.model import Model, ThresholdRow
from scanner.names import visible
from scanner.report.document import dump

FORMAT = 1
"""Version of the file's form."""
ENDINGS = (".toml", ".json")

_HEAD = """\
# Thresholds for `dfscan --calibration`, measured by `dfscan calibrate` on pictures known to be real.
# Each holds for this model and for pictures like those: measure again after a new model or for another collection.
"""


def check_ending(target: str) -> None:
    """Raise UsageError unless the target's ending names a form."""
    if not target.lower().endswith(ENDINGS):
        raise UsageError(f"-o {target}: a threshold file ends in {' or '.join(ENDINGS)}")


def document(
    model: Model, rows: Sequence[Row], left_out: Sequence[LeftOut], measured: str, sample: dict[str, Any]
) -> dict[str, Any]:
    """The threshold file as JSON types; `measured` is the time (RFC 3339), `sample` what the pictures were."""
    return {
        "format": FORMAT,
        "dfscan": __version__,
        "measured": measured,
        "confidence": CONFIDENCE,
        "model": _identity(model),
        "sample": sample,
        "rows": [_row(row) for row in rows],
        "left_out": [{"max_fpr": item.max_fpr, "reason": item.reason} for item in left_out],
    }


def encode(content: dict[str, Any], target: str) -> bytes:
    """The threshold file's bytes, in the form of the target's ending."""
    if target.lower().endswith(".json"):
        return (json.dumps(content, indent=2) + "\n").encode()
    lines = [_HEAD]
    lines += [_assign(key, value) for key, value in content.items() if not _is_table(value)]
    for name, table in content.items():
        for part in [table] if isinstance(table, dict) else table if _is_table(table) else []:
            lines.append(f"\n[{name}]" if isinstance(table, dict) else f"\n[[{name}]]")
            lines += [_assign(key, value) for key, value in part.items()]
    return ("\n".join(lines) + "\n").encode()


def calibrated(model: Model, path: Path) -> Model:
    """The model with the file's thresholds in place of its own.

    Raises InputError where the file cannot be read or was measured with another model.
    """
    content = _read(path)
    try:
        if content["format"] != FORMAT:
            raise InputError(f"{path} has format {content['format']!r}, this dfscan reads {FORMAT}")
        identity = content["model"]
        if any(identity[key] != value for key, value in _identity(model).items()):
            name = visible(str(identity["name"]))
            raise InputError(f"{path} was measured with {name}, this is {model.identity}: run dfscan calibrate again")
        rows = [
            ThresholdRow(float(row["max_fpr"]), float(row["threshold"]), float(row["expected_fpr"]))
            for row in content["rows"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no threshold file of dfscan calibrate: it lacks or garbles {error}") from error
    ordered = sorted(rows, key=lambda row: row.max_fpr)
    falling = all(a.threshold >= b.threshold for a, b in itertools.pairwise(ordered))
    in_range = all(0 <= value <= 1 for r in rows for value in (r.max_fpr, r.threshold, r.expected_fpr or 0))
    if not rows or not falling or not in_range:
        raise InputError(f"{path}: its rows must be thresholds from 0 to 1 that fall as the rate rises")
    return replace(model, thresholds=tuple(ordered))


def _identity(model: Model) -> dict[str, Any]:
    """Everything of a model that a probability depends on."""
    return {
        "name": model.identity,
        "sha256": model.sha256,
        "views": model.views.identity,
        "scale": model.calibration.scale,
        "bias": model.calibration.bias,
    }


def _row(row: Row) -> dict[str, Any]:
    numbers = {"max_fpr": row.max_fpr, "threshold": row.threshold, "expected_fpr": row.expected_fpr}
    numbers |= _share("false_alarms", "fpr", row.false_alarms)
    return numbers if row.recall is None else numbers | _share("found", "recall", row.recall)


def _share(count: str, name: str, share: Share) -> dict[str, Any]:
    return {
        count: share.count,
        name: round(share.value, 6),
        f"{name}_low": round(share.low, 6),
        f"{name}_high": round(share.high, 6),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"cannot read the thresholds in {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no threshold file of dfscan calibrate: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no threshold file of dfscan calibrate: it holds no table")
    return content


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


def _assign(key: str, value: Any) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    """A string, number or list of strings as TOML, where JSON means the same: text without escapes it does not know."""
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return dump(visible(value))
    return json.dumps(value, allow_nan=False)
