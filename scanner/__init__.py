"""dfscan finds AI-generated pictures in image collections; `scan` is the library behind the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scanner.options import ScanOptions as ScanOptions
    from scanner.pipeline import scan as scan
    from scanner.records import FileResult as FileResult

__all__ = ["FileResult", "ScanOptions", "__version__", "scan"]


def __getattr__(name: str) -> object:
    """Load the public names on first use, so that `import scanner` stays cheap (PEP 562)."""
    if name == "scan":
        from scanner.pipeline import scan

        return scan
    if name == "ScanOptions":
        from scanner.options import ScanOptions

        return ScanOptions
    if name == "FileResult":
        from scanner.records import FileResult

        return FileResult
    raise AttributeError(f"module 'scanner' has no attribute {name!r}")
