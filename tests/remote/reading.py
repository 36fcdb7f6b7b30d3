"""What a run finds at some URLs, without a model: every file as the walk gives it, with its bytes or its failure."""

from __future__ import annotations

from typing import Any

from scanner.options import ScanOptions
from scanner.records import ImageFile
from scanner.remote.source import open_contents
from scanner.walk import walk

PNG = b"\x89PNG\r\n\x1a\n"
"""What begins like this is a picture as far as fetching is concerned."""


def walked(*paths: str, **options: Any) -> tuple[list[ImageFile], list[str]]:
    """The files that the walk gives, and what it says of arguments that are not there."""
    missing: list[str] = []
    found = walk(ScanOptions(paths=paths, **options), missing=lambda path, error: missing.append(f"{path}: {error}"))
    return list(found), missing


def fetched(*paths: str, **options: Any) -> dict[str, ImageFile]:
    """The files by their paths, fetched ahead all at once."""
    files, missing = walked(*paths, **options)
    assert not missing, missing
    contents = open_contents(ScanOptions(paths=paths, **options))
    try:
        for file in files:
            contents.expect(file)
        with contents.hold(files) as held:
            return {file.path: file for file in held}
    finally:
        contents.close()


def said(file: ImageFile) -> tuple[str, str] | bytes | None:
    """Stage and reason of a failure, else the bytes."""
    return file.content if file.failure is None else (file.failure.stage.value, file.failure.reason.value)
