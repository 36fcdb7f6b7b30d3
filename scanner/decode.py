"""Bytes of one picture in, oriented sRGB pixels or a Failure out; every picture is treated as hostile."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from scanner.colour import is_srgb, srgb_pixels
from scanner.limits import Limits
from scanner.model import reduction
from scanner.records import DecodedImage, Failure, Reason, Stage
from scanner.room import has_room
from scanner.sniff import SNIFF_BYTES, Kind, sniff, webp_size

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)
"""Pillow tries these and no others: some of its readers run programs or expand without bound."""
_NO_MEMORY = "not enough memory for this picture"
_WITH_FRAMES = frozenset({"GIF", "PNG", "WEBP", "AVIF", "TIFF"})
_ORIENTATION = 0x0112
_NEW_SUBFILE_TYPE = 254
_DNG_VERSION = 50706


@functools.cache
def heif_available() -> bool:
    """Whether the extra [heif] is installed; registers its Pillow plugin on the first call."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def init_worker() -> None:
    """Set what Pillow keeps per process: our own pixel limit replaces its warning, and its remarks stay silent."""
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=r"PIL\..*")


def decode(data: bytes, *, short_side: int | None = None, limits: Limits | None = None) -> DecodedImage | Failure:
    """Decode the first frame of a picture.

    `short_side`: a JPEG may be decoded at 1/2, 1/4 or 1/8 as long as at least this short side is left (pixels);
    None decodes it whole. Never raises for what the bytes hold.
    """
    return next(decode_frames(data, 1, short_side=short_side, limits=limits))


def decode_frames(
    data: bytes, count: int, *, short_side: int | None = None, limits: Limits | None = None
) -> Iterator[DecodedImage | Failure]:
    """Decode at most `count` frames of a GIF, PNG, WebP, AVIF or TIFF, spread evenly from the first one on.

    Yields at least one item; a frame that cannot be decoded gives a Failure, the last one. See `decode`.
    """
    limits = limits or Limits()
    if not data:
        yield Failure(Stage.DECODE, Reason.EMPTY, "the file is empty")
        return
    kind, name = sniff(data[:SNIFF_BYTES])
    if kind is Kind.OTHER:
        yield Failure(Stage.DECODE, Reason.NOT_A_PICTURE, "no picture format by content")
        return
    if kind is Kind.UNSUPPORTED or (kind is Kind.HEIF and not heif_available()):
        hint = "; install dfscan[heif]" if kind is Kind.HEIF else ""
        yield Failure(Stage.DECODE, Reason.UNSUPPORTED, f"{name} cannot be read by this installation{hint}")
        return
    try:
        yield from _decode(data, kind, count, short_side, limits)
        return
    except MemoryError:
        yield Failure(Stage.DECODE, Reason.OUT_OF_MEMORY, _NO_MEMORY)
        return
    except Image.DecompressionBombError as error:  # Pillow's own limit, where `init_worker` has not lifted it
        yield Failure(Stage.DECODE, Reason.TOO_MANY_PIXELS, _one_line(error))
        return
    except UnidentifiedImageError:
        detail = f"starts like {name}, but cannot be read as one"
    except Exception as error:  # Pillow raises nearly anything on broken files (OSError, ValueError, SyntaxError ...)
        detail = _one_line(error)
    yield _broken(data, kind, limits, detail)  # out here, where the exception holds on to nothing any more


def _decode(
    data: bytes, kind: Kind, count: int, short_side: int | None, limits: Limits
) -> Iterator[DecodedImage | Failure]:
    canvas = webp_size(data[:SNIFF_BYTES])
    if canvas is not None and canvas[0] * canvas[1] > limits.max_pixels:  # opening alone takes memory for all of it
        yield _too_many_pixels(*canvas, limits)
        return
    with _open(data, kind) as picture:
        first = _first_frame(data, picture, short_side, limits)
        yield first
        if count == 1 or isinstance(first, Failure) or picture.format not in _WITH_FRAMES:
            return
        first = replace(first, pixels=np.empty((0, 0, 3), np.uint8))  # the next frame needs the memory
        for number in frame_numbers(picture, count, limits.max_pixels):
            picture.seek(number)
            if picture.format == "TIFF" and _subfile_type(picture) & 0b101:  # a smaller copy or the mask of a page
                continue
            width, height = picture.size
            if width * height > limits.max_pixels:
                yield _too_many_pixels(width, height, limits)
                return
            yield replace(first, pixels=_orient(srgb_pixels(picture), _orientation(picture)))


def _open(data: bytes, kind: Kind) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=(*_FORMATS, "HEIF") if kind is Kind.HEIF else _FORMATS)


def _broken(data: bytes, kind: Kind, limits: Limits, detail: str) -> Failure:
    """What a decoder calls a broken file; where memory was short, that may be why (libwebp, libavif, libjpeg)."""
    if "truncated" in detail.lower():
        return Failure(Stage.DECODE, Reason.TRUNCATED, detail)
    width, height = _told_size(data, kind)
    if has_room(min(width * height, limits.max_pixels)):
        return Failure(Stage.DECODE, Reason.CORRUPT, detail)
    return Failure(Stage.DECODE, Reason.OUT_OF_MEMORY, f"{_NO_MEMORY} ({detail})")


def _told_size(data: bytes, kind: Kind) -> tuple[int, int]:
    """Width and height that the head of a file tells; (0, 0) where it tells none."""
    try:
        with _open(data, kind) as picture:
            return picture.size
    except Exception:  # the same exceptions as in `decode_frames`
        return webp_size(data[:SNIFF_BYTES]) or (0, 0)


def frame_numbers(picture: Image.Image, count: int, max_pixels: int) -> list[int]:
    """The frames to look at beside the first: at most `count` - 1, evenly spread over those within reach.

    Frames build on each other in most formats, so that all up to the last one looked at have to be decoded: out of
    reach is what lies behind more than `max_pixels` pixels of frames.
    """
    width, height = picture.size
    reach = max(1, min(int(getattr(picture, "n_frames", 1)), max_pixels // (width * height)))
    steps = min(count, reach) - 1
    return [round(step * (reach - 1) / steps) for step in range(1, steps + 1)]


def _first_frame(data: bytes, picture: Image.Image, short_side: int | None, limits: Limits) -> DecodedImage | Failure:
    width, height = picture.size
    if width < 1 or height < 1:
        return Failure(Stage.DECODE, Reason.CORRUPT, f"a size of {width}x{height}")
    if picture.format == "TIFF" and _is_raw(picture):
        return Failure(Stage.DECODE, Reason.UNSUPPORTED, "camera raw (TIFF-based) cannot be read")
    is_jpeg = picture.format in ("JPEG", "MPO")
    factor = reduction(min(width, height), short_side) if is_jpeg else 1
    if -(-width // factor) * -(-height // factor) > limits.max_pixels:
        return _too_many_pixels(width, height, limits)
    if picture.format == "PNG":
        # Asked for EXIF, Pillow reads the pixels to come to what stands behind them: an error in them would pass for
        # one of the EXIF's, which costs nothing, and what is left would be a black picture.
        picture.load()
    orientation = _orientation(picture)
    pixels = _jpeg_pixels(data, picture, factor) if is_jpeg else None
    if pixels is None:
        if factor > 1:
            picture.draft(None, (width // factor, height // factor))
        pixels = srgb_pixels(picture)
    turned = orientation >= 5
    return DecodedImage(
        pixels=_orient(pixels, orientation),
        width=height if turned else width,
        height=width if turned else height,
        format="JPEG" if is_jpeg else str(picture.format),
    )


def _too_many_pixels(width: int, height: int, limits: Limits) -> Failure:
    return Failure(Stage.DECODE, Reason.TOO_MANY_PIXELS, f"{width}x{height} is over {limits.max_pixels} pixels")


def _jpeg_pixels(data: bytes, picture: Image.Image, factor: int) -> NDArray[np.uint8] | None:
    """Pixels by libjpeg-turbo directly, equal to Pillow's and faster; None where Pillow has to do it.

    Pillow is needed for CMYK, for profiles that are not sRGB, and for files that libjpeg-turbo complains of
    (one camera file in sixteen has a truncated segment that Pillow reads all the same).
    """
    if picture.mode not in ("RGB", "L") or not is_srgb(picture.info.get("icc_profile")):
        return None
    width, height = picture.size
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", min_height=-(-height // factor), min_width=-(-width // factor), min_factor=1
        )
    except ValueError:
        return None
    return pixels


def _is_raw(picture: Image.Image) -> bool:
    """Whether a TIFF is a camera's raw file, whose first image is only a preview (TIFF/EP, DNG 1.7)."""
    return _DNG_VERSION in getattr(picture, "tag_v2", {}) or bool(_subfile_type(picture) & 1)


def _subfile_type(picture: Image.Image) -> int:
    tags: Any = getattr(picture, "tag_v2", {})
    return int(tags.get(_NEW_SUBFILE_TYPE, 0))


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where it is missing or broken."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF must not cost the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _orient(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The pixels as a viewer shows them (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _one_line(error: Exception) -> str:
    """An exception as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
