"""Small pictures for the tests of training: smooth real ones, and generated ones with a grid that a filter can see."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def draw(number: int, *, generated: bool, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A picture like no other of another number; generated ones carry a bright grid of four pixels."""
    rng = np.random.default_rng([number, generated])
    picture = Image.fromarray(rng.integers(0, 200, (6, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    if generated:
        plane = np.array(picture).astype(int)
        plane[::4, ::4] += 55
        picture = Image.fromarray(plane.clip(0, 255).astype(np.uint8))
    return picture


def fill(folder: Path, count: int, *, generated: bool, start: int = 0, ending: str = "png") -> list[Path]:
    """Pictures 0.png, 1.png ... in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.{ending}" for number in range(start, start + count)]
    for number, path in enumerate(paths, start):
        draw(number, generated=generated).save(path)
    return paths


def zipped(folder: Path, archive: Path) -> Path:
    """A zip of everything below a folder, names relative to it."""
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in sorted(folder.rglob("*")):
            bundle.write(path, path.relative_to(folder))
    return archive
