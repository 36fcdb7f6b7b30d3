"""States of training on disk: written whole or not at all, so that a killed run goes on from the last one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Arrays = list[NDArray[Any]]


def state_of(model: keras.Model) -> Arrays:
    """Every variable of a compiled model, its optimizer's included, as arrays."""
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def restore(model: keras.Model, state: Arrays) -> None:
    """Set every variable of a compiled and built model; raises ValueError where the state is another model's."""
    variables = [*model.variables, *model.optimizer.variables]
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)


def save(path: Path, lists: dict[str, Arrays], about: dict[str, Any]) -> None:
    """Write lists of arrays and a JSON description, atomically."""
    arrays = {f"{name}/{i:05d}": array for name, values in lists.items() for i, array in enumerate(values)}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path) -> tuple[dict[str, Arrays], dict[str, Any]] | None:
    """What `save` wrote; None where there is nothing."""
    if not path.exists():
        return None
    lists: dict[str, Arrays] = {}
    with np.load(path) as arrays:
        about = json.loads(arrays["about"].tobytes())
        for name in sorted(arrays.files):
            if name != "about":
                lists.setdefault(name.split("/")[0], []).append(arrays[name])
    return lists, about
