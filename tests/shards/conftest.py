"""A folder of pictures, broken files and one that kills its worker; and what a scan of it says, file by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ray_cluster import POISON
from tests.fakes import BLACK, GREY, WHITE, picture

ROOT = Path(__file__).parents[2]
POISON_PATH = f"{ROOT / 'benchmarks' / 'poison'}:{ROOT}"


def collection(folder: Path, count: int) -> Path:
    """So many files: every seventh is broken in some way, the others are pictures of all labels."""
    for number in range(count):
        path = picture(folder / f"{number:04}.png", (WHITE, GREY, BLACK)[number % 3])
        if number % 7 == 3:
            path.write_bytes([b"", b"no picture", path.read_bytes()[:60]][number % 3])
    return folder


def poison(folder: Path) -> Path:
    """A picture that kills whoever reads it."""
    path = picture(folder / "0005-poison.png", WHITE)
    path.write_bytes(path.read_bytes() + POISON)
    return path


def lines(text: bytes | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def parts(folder: Path, ending: str = "jsonl") -> list[Path]:
    return sorted(folder.glob(f"part-*.{ending}"))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for part in parts(folder) for row in lines(part.read_bytes())]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """30 files, four of them broken."""
    return collection(tmp_path / "photos", 30)
