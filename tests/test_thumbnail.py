"""Small pictures for a page: within their bytes and sizes whatever they show, and made where the scan decodes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.records import FileResult, Status
from scanner.thumbnail import SIDE, thumbnail
from tests.fakes import WHITE, FakeClassifier, picture


def opened(jpeg: bytes | None) -> Image.Image:
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        return image.convert("RGB")


def scanned(folder: Path, model: Path, thumbnail_bytes: int = 9500, **options: int) -> list[FileResult]:
    settings = ScanOptions(paths=(str(folder),), model=str(model), use_cache=False, **options)  # type: ignore[arg-type]
    with Scan(settings, classifier=FakeClassifier(), thumbnail_bytes=thumbnail_bytes) as scan:
        return list(scan)


@pytest.mark.parametrize("limit", [24_000, 9_500, 2_000])
@pytest.mark.parametrize("size", [(900, 700), (384, 384), (500, 30)])
def test_no_picture_is_larger_than_its_share(limit: int, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)  # what no codec makes small
    encoded = thumbnail(Image.fromarray(noise), limit)
    assert len(encoded) <= limit
    assert len(encoded) > limit // 4 or opened(encoded).width >= 240


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 384), (385, 289), (400, 300), (479, 100), (480, 480), (4000, 3000), (9999, 3), (3, 9999)]
)
def test_a_picture_keeps_its_proportions_and_is_large_enough_to_be_looked_at(size: tuple[int, int]) -> None:
    small = opened(thumbnail(Image.new("RGB", size, (200, 10, 10)), 24_000))
    assert min(max(size), 240) <= max(small.size) <= SIDE
    for side, whole in zip(small.size, size, strict=True):
        assert side == pytest.approx(whole * max(small.size) / max(size), abs=1)
    assert np.abs(np.asarray(small).astype(int) - (200, 10, 10)).max() < 12


def test_a_scan_gives_the_pixels_that_it_decoded(tmp_path: Path, tiny_model_dir: Path) -> None:
    left_red = np.zeros((600, 900, 3), np.uint8)
    left_red[:, :450, 0] = 255
    (tmp_path / "photos").mkdir()
    Image.fromarray(left_red).save(tmp_path / "photos" / "a.png")
    picture(tmp_path / "photos" / "b.png", WHITE)
    (tmp_path / "photos" / "c.png").write_bytes((tmp_path / "photos" / "a.png").read_bytes()[:300])
    (tmp_path / "photos" / "d.txt").write_text("no picture")
    red, white, broken, text = scanned(tmp_path / "photos", tiny_model_dir)
    pixels = np.asarray(opened(red.thumbnail))
    assert pixels.shape == (200, 300, 3)
    assert pixels[100, 20, 0] > 200 and pixels[100, 280, 0] < 50
    assert opened(white.thumbnail).size == (48, 40)
    assert broken.status is Status.FAILED and broken.thumbnail is None
    assert text.status is Status.SKIPPED and text.thumbnail is None


def test_an_animation_is_shown_by_its_first_frame(tmp_path: Path, tiny_model_dir: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("white", "black", "#050505")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    (result,) = scanned(tmp_path / "a.webp", tiny_model_dir, frames=3)
    assert result.probability is not None and result.probability < 0.5
    assert np.asarray(opened(result.thumbnail)).min() > 240


def test_a_scan_without_a_page_makes_none_and_no_record_holds_one(tmp_path: Path, tiny_model_dir: Path) -> None:
    picture(tmp_path / "a.png", WHITE)
    (without,) = scanned(tmp_path / "a.png", tiny_model_dir, thumbnail_bytes=0)
    (with_one,) = scanned(tmp_path / "a.png", tiny_model_dir)
    assert without.thumbnail is None and with_one.thumbnail is not None
    assert without.as_json() == with_one.as_json()


def test_short_memory_for_a_small_picture_costs_no_verdict(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(picture: Image.Image, limit: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr("scanner.examine.thumbnail", short)
    picture(tmp_path / "a.png", WHITE)
    (result,) = scanned(tmp_path / "a.png", tiny_model_dir)
    assert result.status is Status.SCANNED and result.thumbnail is None
