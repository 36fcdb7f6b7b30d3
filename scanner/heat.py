"""Where in a picture its score comes from: the heat maps of its views, pasted into its frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanner.errors import ModelError
from scanner.limits import Limits
from scanner.model import Model
from scanner.onnx_outputs import output_names, with_outputs
from scanner.prepare import prepare
from scanner.records import DecodedImage, Failure, ImageFile, View

LONGEST_SIDE = 64
"""Cells of a picture's heat map along its longer side."""
LEAST_SCALE = 2.0
"""Logits that the warmest colour stands for at least: below, a picture has no place that speaks for itself."""
_TOP = 0.98
"""Share of the cells that are not warmer than the warmest colour."""
_BATCH = 8


def gives_heatmaps(model: Model) -> bool:
    """Whether the model's graph has the output `heatmap`."""
    return "heatmap" in output_names(model.graph.read_bytes())


class Heater:
    """A model's network with its heat map, on the CPU in one thread."""

    def __init__(self, model: Model) -> None:
        """Raises ModelError for a model without heat maps."""
        import onnxruntime

        data = model.graph.read_bytes()
        if "heatmap" not in output_names(data):
            raise ModelError(f"the model {model.name} gives no heat maps")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(
            with_outputs(data, ("logit", "heatmap")), options, providers=["CPUExecutionProvider"]
        )
        self._takes_group = "group" in {value.name for value in self._session.get_inputs()}
        self._views = model.views
        self.short_side = model.views.scaled_decode
        """The short side that a decoder may leave of a picture."""

    def look(self, image: DecodedImage) -> tuple[float, NDArray[np.float32]]:
        """The picture's logit, and the heat map over it: float32 [h, w], see `pasted`."""
        views = prepare(image, self._views)
        logits, maps = self.maps(views)
        weights = np.array([self._views.groups[v.group].weight / self._views.groups[v.group].count for v in views])
        return float(logits @ weights), pasted(maps, views, weights, image.pixels.shape[1], image.pixels.shape[0])

    def maps(self, views: Sequence[View]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Logit [N] and heat map [N, h, w] of each view; the cells of a map and a constant add up to the logit."""
        logits, maps = [], []
        for start in range(0, len(views), _BATCH):
            some = views[start : start + _BATCH]
            feed: dict[str, Any] = {"image": np.stack([view.pixels for view in some])}
            if self._takes_group:
                feed["group"] = np.array([view.group for view in some], np.int32)
            logit, heat = self._session.run(["logit", "heatmap"], feed)
            logits.append(logit.reshape(-1))
            maps.append(heat)
        return np.concatenate(logits).astype(np.float64), np.concatenate(maps)


def pasted(
    maps: NDArray[np.float32], views: Sequence[View], weights: NDArray[np.float64], width: int, height: int
) -> NDArray[np.float32]:
    """The views' maps [N, h, w] in the frame of the picture, at most 64 cells long; NaN where no view looked.

    In logits: a cell says what the picture's logit would come to, were all of it like this place. Where views overlap
    it is their mean by `weights`: a small view is not warmer for being small.
    """
    from PIL import Image

    longest = max(width, height)
    columns, rows = (max(1, round(LONGEST_SIDE * side / longest)) for side in (width, height))
    total, weight = np.zeros((rows, columns)), np.zeros((rows, columns))
    for heat, view, share in zip(maps, views, weights, strict=True):
        left, right = (round(view.box[i] * columns) for i in (0, 2))
        top, bottom = (round(view.box[i] * rows) for i in (1, 3))
        right, bottom = min(max(right, left + 1), columns), min(max(bottom, top + 1), rows)
        left, top = min(left, right - 1), min(top, bottom - 1)
        picture = Image.fromarray(heat * np.float32(heat.size))
        place = picture.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        total[top:bottom, left:right] += share * np.asarray(place)
        weight[top:bottom, left:right] += share
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan).astype(np.float32)


def shaded(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """A heat map in logits as 0 (speaks for real) to 1 (for AI-generated), one half where nothing speaks."""
    known = np.abs(heat[~np.isnan(heat)])
    scale = max(LEAST_SCALE, float(np.quantile(known, _TOP))) if known.size else LEAST_SCALE
    return np.asarray(np.clip(0.5 + np.nan_to_num(heat) / (2 * scale), 0, 1), np.float32)


def heat_of(path: str, sha256: str | None, heater: Heater, limits: Limits) -> tuple[float, NDArray[np.float32]] | None:
    """Logit and heat map of the picture at a path; None where it is not there any more, or has another content."""
    from scanner.decode import decode
    from scanner.examine import read_bytes

    try:
        data = read_bytes(ImageFile(path), limits.max_bytes)
    except (OSError, ValueError):
        return None
    if isinstance(data, Failure) or hashlib.sha256(data).hexdigest() != sha256:
        return None
    decoded = decode(data, short_side=heater.short_side, limits=limits)
    if isinstance(decoded, Failure):
        return None
    try:
        return heater.look(decoded)
    except MemoryError:
        return None
