"""Pixels of any mode and profile as sRGB: deep pictures scaled, alpha laid on white, profiles applied."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_PALETTED_OR_ALPHA = frozenset({"P", "PA", "LA", "La", "RGBA", "RGBa"})
_PLAIN_SRGB_DESCRIPTIONS = ("srgb", "c2")


def srgb_pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """Pixels of the first frame as sRGB: deep pictures scaled (not clipped), alpha laid on white, profiles applied."""
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep(np.asarray(picture))
    if picture.mode in _PALETTED_OR_ALPHA or "transparency" in picture.info:
        rgba = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        del rgba  # at the limit of pixels each copy is half a gigabyte
        picture = picture.convert("RGB")
    if not is_srgb(profile):
        converted = _to_srgb(picture, profile)
        if converted is not None:
            return np.asarray(converted)
    if picture.mode == "LAB":
        converted = _to_srgb(picture, _lab_profile())
        if converted is not None:
            return np.asarray(converted)
    return np.asarray(picture.convert("RGB"))


def _from_deep(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit, 32-bit and floating-point grey as 8-bit RGB over the range that the data type (or the data) spans."""
    plane = np.nan_to_num(values.astype(np.float32), copy=False, posinf=0.0, neginf=0.0)
    top = float(plane.max(initial=0.0))
    if values.dtype.kind == "f":
        span = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else top
    else:
        span = 65535.0 if values.dtype.itemsize == 2 else 255.0 if top <= 255.0 else max(65535.0, top)
    plane *= 255.0 / span  # in place: at the limit of pixels each copy is half a gigabyte
    plane += 0.5
    grey = np.clip(plane, 0, 255, out=plane).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def is_srgb(profile: bytes | None) -> bool:
    """Whether an ICC profile is sRGB's, or none."""
    return not profile or _describes_srgb(profile)


@functools.lru_cache(maxsize=64)
def _describes_srgb(profile: bytes) -> bool:
    """Whether a profile says that it is sRGB; an unreadable profile counts as none."""
    try:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return True
    return description.strip().lower().startswith(_PLAIN_SRGB_DESCRIPTIONS)


@functools.cache
def _srgb_profile() -> Any:
    return ImageCms.createProfile("sRGB")


@functools.cache
def _lab_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Any:
    return ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), _srgb_profile(), mode, "RGB")


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image | None:
    """The picture through its profile; None where the profile does not fit the picture."""
    if not profile:
        return None
    picture = picture.convert("RGB") if picture.mode in ("1", "YCbCr", "HSV") else picture
    try:
        return ImageCms.applyTransform(picture, _transform(profile, picture.mode))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
