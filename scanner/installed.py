"""What decodes pictures in this installation, told without importing it: a failure kept in the cache hangs on it."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

_DECODERS = (("PIL", "pillow"), ("simplejpeg", "simplejpeg"), ("pillow_heif", "pillow_heif"))
"""Module and distribution of what may read a picture."""


def installed_decoders() -> str:
    """Names and versions of the libraries that are here, for the cache's key: another version may read what failed."""
    return ",".join(f"{name}={_version(module, name)}" for module, name in _DECODERS)


def _version(module: str, distribution: str) -> str:
    """The version from the name of the metadata's folder, which importlib.metadata would take 25 ms to load."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return "none"
    for name in _listing(Path(spec.origin).parent.parent):
        if name.startswith(f"{distribution}-") and name.endswith(".dist-info"):
            return name.removesuffix(".dist-info").rpartition("-")[2]
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # frozen into a program
        return "unknown"


@functools.cache
def _listing(folder: Path) -> list[str]:
    return sorted(path.name.lower() for path in folder.iterdir())
