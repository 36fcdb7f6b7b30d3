"""What every engine does: files in, one examination a file out, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from scanner.records import Examined, ImageFile


class Engine(Protocol):
    """Runs examinations; made ready before the first file, closed after the last."""

    provider: str | None
    """ONNX Runtime's name of the provider that classifies; None as long as it is not known."""
    workers: int

    def open(self) -> None:
        """Be ready to classify; raises ModelError or DeviceError where that cannot be. Safe to call twice."""

    def examine(self, files: Iterator[ImageFile | Examined]) -> Iterator[Examined]:
        """One result an item in the items' order, over a bounded window; reads `files` lazily.

        What is examined already (known from an earlier run) passes through, so that one order holds for all.
        """

    def close(self) -> None:
        """End the workers; safe to call twice."""
