"""What one picture may cost, and the identity of how it is decoded; light to import."""

from __future__ import annotations

from dataclasses import dataclass

PIXELS = "dfscan-decode-1"
"""Raised when the same picture begins to give other pixels; features kept for training hang on it."""
DECODER = f"{PIXELS}.1"
"""Part of the cache's key: raised with PIXELS, and when the same bytes begin to fail, or to be read."""


MEMORY_A_PIXEL = 24
"""Bytes: floating-point TIFF needs 23 and WebP 22, all others at most 18 (benchmarks/memory.py)."""
_MEMORY_AT_LEAST = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one picture; what is over them is a failed record."""

    max_pixels: int = 120_000_000
    """Pixels at the scale at which the picture is decoded."""
    max_bytes: int = 512 * 1024 * 1024

    @property
    def memory(self) -> int:
        """Bytes of address space that a worker may take for one picture within these limits."""
        return _MEMORY_AT_LEAST + self.max_bytes + MEMORY_A_PIXEL * self.max_pixels

    @property
    def identity(self) -> str:
        """Part of the cache's key for failures: they hold under the same limits only."""
        return f"{self.max_pixels}-{self.max_bytes}"
