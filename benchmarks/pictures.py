"""Makes the pictures that are measured: JPEGs like those of the web and of cameras, the same ones every time."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Form:
    """What one set looks like."""

    name: str
    width: int
    height: int
    quality: int
    noise: float
    """Deviation of the sensor's noise in grey levels; it decides most of a file's size."""
    subsampling: str


WEB = Form("web", 500, 375, 90, 10.0, "4:2:0")
"""What a photo sharing site serves: about 0.06 MB."""
CAMERA = Form("camera", 4000, 3000, 92, 5.5, "4:2:0")
"""What a 12-megapixel camera stores: about 3 MB."""
FORMS = {form.name: form for form in (WEB, CAMERA)}


def picture_set(form: Form, folder: Path, different: int, count: int) -> Path:
    """The folder of a set with exactly `count` files in it, made where they are not there yet.

    So many of them are `different`; the others are hard links to those, in turns.
    """
    target = folder / f"{form.name}-{different}-{count}"
    if target.is_dir() and sum(1 for _ in target.glob("*.jpg")) == count:
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for number, data in enumerate(_jpegs(form, different)):
        (target / f"{number:06}.jpg").write_bytes(data)
    for number in range(different, count):
        os.link(target / f"{number % different:06}.jpg", target / f"{number:06}.jpg")
    return target


def _jpegs(form: Form, count: int) -> Iterator[bytes]:
    """Pieces of one large landscape, each with its own place, light and noise."""
    from PIL import Image

    rng = np.random.default_rng(20240601)
    ground = _landscape(rng, int(form.height * 1.5), int(form.width * 1.5))
    noise = rng.standard_normal((form.height + 64, form.width + 64, 3), np.float32) * form.noise
    for _ in range(count):
        top = int(rng.integers(ground.shape[0] - form.height))
        left = int(rng.integers(ground.shape[1] - form.width))
        piece = ground[top : top + form.height, left : left + form.width]
        dy, dx = (int(value) for value in rng.integers(0, 64, 2))
        grain = noise[dy : dy + form.height, dx : dx + form.width]
        pixels = np.clip(piece * rng.uniform(0.7, 1.1) + grain, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=form.quality, subsampling=form.subsampling)
        yield buffer.getvalue()


def _landscape(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Structure at every scale, as photographs have it (their amplitude falls as 1/f): float32 [H, W, 3] in 0..255."""
    from PIL import Image

    total = np.zeros((height, width, 3), np.float32)
    cells = 4
    while cells < max(height, width):
        rows, columns = max(2, cells * height // max(height, width)), max(2, cells * width // max(height, width))
        grid = rng.standard_normal((rows, columns, 3)).astype(np.float32)
        grid = grid.mean(axis=2, keepdims=True) * 1.2 + grid * 0.4  # photographs have more light than colour
        for channel in range(3):
            layer = Image.fromarray(grid[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
            total[..., channel] += np.asarray(layer) * (160.0 / cells**0.8)
        cells *= 2
    return np.clip(total + 118.0, 0, 255)
