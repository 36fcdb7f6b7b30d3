"""Whether there is memory for a picture: asked where a decoder calls broken what may only have been too large."""

from __future__ import annotations

import mmap

from scanner.limits import MEMORY_A_PIXEL


def has_room(pixels: int) -> bool:
    """Whether the memory that so many pixels take at most can still be had; asks for it, and touches none of it."""
    if pixels < 1:
        return True
    try:
        mmap.mmap(-1, pixels * MEMORY_A_PIXEL).close()
    except (OSError, ValueError, OverflowError, MemoryError):
        return False
    return True
