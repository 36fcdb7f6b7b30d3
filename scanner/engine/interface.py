"""What every engine does: files in, one examination a file out, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from scanner.records import Examined, ImageFile


class Engine(Protocol):
    """Runs examinations; made ready before the first file, closed after the last."""

    provider: str
    """ONNX Runtime's name of the provider that classifies."""
    workers: int

    def examine(self, files: Iterator[ImageFile]) -> Iterator[Examined]:
        """One result a file in the files' order, over a bounded window; reads `files` lazily."""

    def close(self) -> None:
        """End the workers; safe to call twice."""
