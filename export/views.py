"""The view policy that a run takes unless `--views` names another."""

from __future__ import annotations

from scanner.model import Crops, ViewGroup, ViewPolicy

DEFAULT_VIEWS = ViewPolicy(
    size=224,
    resample="bicubic",
    groups=(ViewGroup("320", short_side=320, upscale=True, crops=Crops.DIAGONAL, count=3, weight=1.0),),
    decode_short_side=640,
)
"""Two corners and the centre of the picture resized to short side 320."""
