"""What the rows of a scan depend on beside the files: rows made under different conditions do not belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanner.calibration.threshold_file import calibrated
from scanner.errors import InputError
from scanner.installed import installed_decoders
from scanner.limits import DECODER
from scanner.model import load_model
from scanner.options import Device, ScanOptions
from scanner.provenance.interface import evidence_settings
from scanner.records import SCHEMA
from scanner.verdict import verdict_policy


def conditions(options: ScanOptions) -> dict[str, Any]:
    """The conditions of a scan as JSON types, the same wherever the same rows would come out.

    Raises what the model, the calibration or the thresholds raise where they cannot be used.
    """
    model = load_model(options.model)
    if options.calibration is not None:
        model = calibrated(model, options.calibration)
    policy = verdict_policy(options, model)
    return {
        "schema": SCHEMA,
        "model": model.identity,
        "views": model.views.identity,
        "calibration": repr(model.calibration),
        "runtime": "openvino" if options.device is Device.OPENVINO else "onnxruntime",
        "threshold": policy.threshold,
        "unsure_from": policy.unsure_from,
        "expected_fpr": policy.expected_fpr,
        "flag": policy.flag.value,
        "trust": policy.trust.value,
        "evidence": evidence_settings(options).identity,
        "baseline": _digest(options.baseline),
        "max_pixels": options.max_pixels,
        "max_bytes": options.max_bytes,
        "timeout": options.timeout,
        "frames": options.frames,
        "decoders": f"{DECODER},{installed_decoders()}",
    }


def differences(made: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, for a person: `threshold 0.9, now 0.8`."""
    return [
        f"{name} {made.get(name)}, now {now.get(name)}"
        for name in [*made, *(name for name in now if name not in made)]
        if made.get(name) != now.get(name)
    ]


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
