"""Turns a network's heat map into an overlay for the page; where maps come from is the engine's affair."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Protocol

from scanner.records import FileResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_SIDE = 64
"""Cells of an overlay along the longer side: a class activation map has fewer, and a page may hold a thousand."""


class HeatmapSource(Protocol):
    """Gives the heat map of a picture when the page asks for it: only pictures that are shown cost a second look."""

    def heatmap(self, result: FileResult) -> NDArray[np.float32] | None:
        """float32 [h, w] over the whole picture, 0 (speaks for real) to 1 (for AI-generated); None: there is none."""


def overlay(heat: NDArray[np.float32]) -> str:
    """A heat map as the data URI of a transparent PNG: warm and dense where the map is high, nothing below one half."""
    import numpy as np
    from PIL import Image

    strength = np.clip((np.nan_to_num(heat.astype(np.float64)) - 0.5) * 2, 0, 1)
    colours = np.empty((*strength.shape, 4), np.uint8)
    colours[..., 0] = 255
    colours[..., 1] = (200 * (1 - strength)).astype(np.uint8)
    colours[..., 2] = 0
    colours[..., 3] = (230 * strength).astype(np.uint8)
    image = Image.fromarray(colours)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
