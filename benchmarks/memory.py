"""Measures what the largest pictures allowed cost: peak memory of a guarded worker for each kind, and their fate.

    python benchmarks/memory.py                                   every kind at the default limits
    python benchmarks/memory.py --only png-rgba jpeg-huge         some of them
    python benchmarks/memory.py --model DIR --series              one worker for all, as in a scan

Each kind gets a worker of its own unless `--series`. `space` is the address space that the kind added to that of a
worker that is ready: what --max-pixels needs and `Limits.memory` has to allow. Exit code
1 where a picture within the limits has no score.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scanner.engine.guard import Guard
from scanner.engine.wire import Start
from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.model import load_model
from scanner.options import Device
from scanner.provenance.interface import EvidenceSettings
from scanner.records import ImageFile
from tests.fakes import build_tiny_model

Image.MAX_IMAGE_PIXELS = None
LIMITS = Limits()
WIDE, HIGH = 12_000, 10_000
"""Exactly the default limit of pixels."""
MB = 1_000_000


def save(picture: Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def flat(mode: str, colour: Any = 128, size: tuple[int, int] = (WIDE, HIGH)) -> Image.Image:
    """A picture of one colour: small as a file, as large as any other once decoded."""
    return Image.new(mode, size, colour)


def foreign_profile() -> bytes:
    """A profile that is not sRGB, so that it has to be applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def turned() -> bytes:
    """An EXIF block that says the picture lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def deep(dtype: str, format: str) -> bytes:
    """Grey of 16 bits or of floating point."""
    return save(Image.fromarray(np.full((HIGH, WIDE), 1, dtype)), format)


KINDS: dict[str, Callable[[], bytes]] = {
    "png-rgb": lambda: save(flat("RGB", (9, 99, 199)), "PNG", compress_level=1),
    "png-rgba": lambda: save(flat("RGBA", (9, 99, 199, 99)), "PNG", compress_level=1),
    "png-palette-alpha": lambda: save(flat("P", 0), "PNG", compress_level=1, transparency=0),
    "png-16-bit": lambda: deep("uint16", "PNG"),
    "png-profile-turned": lambda: save(
        flat("RGB", (9, 99, 199)), "PNG", compress_level=1, icc_profile=foreign_profile(), exif=turned()
    ),
    "tiff-16-bit": lambda: deep("uint16", "TIFF"),
    "tiff-float": lambda: deep("float32", "TIFF"),
    "tiff-cmyk-profileless": lambda: save(flat("CMYK", (9, 9, 9, 9)), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: save(flat("RGB", (9, 99, 199)), "BMP"),
    "gif": lambda: save(flat("P", 3), "GIF"),
    "webp": lambda: save(flat("RGB", (9, 99, 199), (12_000, 10_000)), "WEBP", quality=1, method=0),
    "webp-animated": lambda: save(
        flat("RGB", 9), "WEBP", quality=1, method=0, save_all=True, append_images=[flat("RGB", 99)]
    ),
    "avif": lambda: save(flat("RGB", (9, 99, 199)), "AVIF", speed=10, quality=10),
    "jpeg": lambda: save(flat("RGB", (9, 99, 199)), "JPEG"),
    "jpeg-progressive": lambda: save(flat("RGB", (9, 99, 199)), "JPEG", progressive=True),
    "jpeg-progressive-444": lambda: save(flat("RGB", (9, 99, 199)), "JPEG", progressive=True, subsampling=0),
    "jpeg-cmyk": lambda: save(flat("CMYK", (9, 9, 9, 9)), "JPEG"),
}
"""Within the default limits: each has to get a score."""

BEYOND: dict[str, Callable[[], bytes]] = {
    "png-bomb": lambda: save(flat("1", 1, (60_000, 60_000)), "PNG"),
    "jpeg-huge": lambda: save(flat("L", 128, (60_000, 20_000)), "JPEG"),
    "jpeg-huge-progressive": lambda: save(flat("RGB", (9, 99, 199), (30_000, 20_000)), "JPEG", progressive=True),
}
"""Over them, or only within them where the model lets a JPEG be decoded at a smaller scale."""


def main() -> int:
    """Measure and say what each kind cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[*KINDS, *BEYOND], help="these kinds")
    parser.add_argument("--model", help="a model's name or folder; without it the tests' own small one")
    parser.add_argument("--folder", type=Path, help="where the pictures are kept for another time")
    parser.add_argument("--series", action="store_true", help="one worker for all")
    parser.add_argument("--timeout", type=float, default=120.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = args.model or f"{build_tiny_model(Path(scratch) / 'tiny')}/"
        guard = new_guard(model, args.timeout)
        print(f"limit {LIMITS.memory / MB:,.0f} MB over what a worker needs when it is ready; sizes in MB")
        print(f"{'kind':<24}{'file':>8}{'space':>8}{'peak RSS':>10}{'seconds':>9}  result")
        lost = 0
        for kind in args.only or [*KINDS, *BEYOND]:
            data_file = stored(kind, args.folder or Path(scratch))
            lost += not measured(guard, kind, data_file) and kind in KINDS
            if not args.series:
                guard.child.end()
                guard = new_guard(model, args.timeout)
        guard.child.end()
    return int(lost > 0)


def new_guard(model: str, timeout: float) -> Guard:
    """A guard whose worker is not started yet."""
    settings = Settings(load_model(model).views, LIMITS, EvidenceSettings(), batch_size=8)
    return Guard(Start(model, Device.CPU, settings, LIMITS.memory), timeout)


def stored(kind: str, folder: Path) -> Path:
    """The picture's file, made where it is not there yet."""
    path = folder / kind
    if not path.exists():
        path.write_bytes({**KINDS, **BEYOND}[kind]())
    return path


def measured(guard: Guard, kind: str, path: Path) -> bool:
    """Examine a picture, print what it cost, and say whether it has a score."""
    if guard.child.pid is None:
        guard.child.open()
    before = memory(guard.child.pid)
    started = time.perf_counter()
    (result,) = guard.examine([ImageFile(str(path), path.stat().st_size)])
    seconds = time.perf_counter() - started
    after = memory(guard.child.pid) if guard.child.pid is not None else {"VmPeak": 0, "VmHWM": 0}
    space = max(0, after["VmPeak"] - before["VmSize"])
    outcome = "scanned" if result.failure is None else f"{result.failure.reason}: {result.failure.detail}"
    print(
        f"{kind:<24}{path.stat().st_size / MB:>8.1f}{space / MB:>8,.0f}{after['VmHWM'] / MB:>10,.0f}{seconds:>9.1f}"
        f"  {outcome[:80]}",
        flush=True,
    )
    return result.failure is None


def memory(pid: int | None) -> dict[str, int]:
    """Sizes of a process in bytes, by Linux's names."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}


if __name__ == "__main__":
    sys.exit(main())
