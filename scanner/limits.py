"""What one picture may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one picture; what is over them is a failed record."""

    max_pixels: int = 120_000_000
    """Pixels at the scale at which the picture is decoded."""
    max_bytes: int = 512 * 1024 * 1024
