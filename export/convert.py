"""`convert`: a run's network as ONNX, compared with Keras on real pictures before it may be used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.conditions import Condition
from export.explained import explained
from export.family_head import family_head
from export.features import Plan, picture_views
from export.labels import Split
from export.manifest import Record, read_manifest
from export.parity import PICTURES, ParityError, compare, compare_extras
from export.runs import Run, write_json
from export.to_onnx import OPSET, convert
from scanner.model import ViewPolicy
from scanner.records import Failure


def convert_run(run: Run, *, data: Path | None = None, opset: int = OPSET, half: bool = False) -> dict[str, Any]:
    """Write model.onnx and parity.json into the run folder and return what parity.json says.

    The graph gives the logit, a heat map, and the generator's family where the run has a head for it.
    `data`: manifest with the pictures for the comparison; None: the run's own. `half`: the heads' weights as float16.
    Raises ConversionError or ParityError, and leaves no model.onnx behind then.
    """
    network = run.network()
    calibration, _ = run.calibration()
    records = read_manifest(data or Path(run.config["options"]["data"]))
    pixels, groups, pictures = parity_views(records, run.views)
    part = run.folder / "model.part.onnx"
    run.graph.unlink(missing_ok=True)
    try:
        whole = explained(network, family_head(run))
        route = convert(whole, part, opset=opset, half=half)
        parity = compare(network.model, part, pixels, groups, calibration, pictures=pictures)
        extras = compare_extras(whole, part, pixels, groups)
        part.replace(run.graph)
    finally:
        part.unlink(missing_ok=True)
    digest = hashlib.sha256(run.graph.read_bytes()).hexdigest()
    about = parity.as_json() | extras | {"route": route, "opset": opset, "half": half, "sha256": digest}
    write_json(run.folder / "parity.json", about)
    return about


def parity_views(records: Sequence[Record], policy: ViewPolicy) -> tuple[NDArray[np.uint8], NDArray[np.int32], int]:
    """Views uint8 [N, S, S, 3] of 64 pictures, their groups, and the number of pictures; validation comes first.

    Pictures of both classes take turns, so that logits of either sign are compared. Raises ParityError below 64.
    """
    order = {Split.VALIDATION: 0, Split.TEST: 1, Split.TRAIN: 2, None: 3}
    ranked = sorted(records, key=lambda r: (order[r.split], r.sha256 or r.file))
    by_class = [[r for r in ranked if r.generated is generated] for generated in (True, False)]
    turns = sorted(
        (index, order[record.split], side, record.file) for side, side_records in enumerate(by_class)
        for index, record in enumerate(side_records)
    )  # fmt: skip
    known = {record.file: record for record in records}
    plan = Plan(policy, conditions=(Condition.AS_IS,))
    groups, _ = plan.rows()
    stacks = []
    for *_, file in turns:
        views = picture_views(known[file], plan)
        if not isinstance(views, Failure):
            stacks.append(np.stack(views))
        if len(stacks) == PICTURES:
            break
    if len(stacks) < PICTURES:
        raise ParityError(
            f"parity needs {PICTURES} pictures that can be read, there are {len(stacks)}; give more by --data"
        )
    return np.concatenate(stacks), np.tile(groups, len(stacks)), len(stacks)
