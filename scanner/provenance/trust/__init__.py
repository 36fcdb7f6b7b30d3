"""The C2PA trust lists that ship with dfscan: whose signature makes a manifest trusted."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class TrustList:
    """The bundled anchors and where they come from."""

    anchors: str
    """PEM: signers, then time-stamping authorities."""
    certificates: int
    date: str
    """Day on which the list was taken from its source."""
    attribution: str
    sha256: str


@functools.cache
def bundled() -> TrustList:
    """The official C2PA trust list and time-stamping trust list."""
    source = json.loads((_FOLDER / "source.json").read_text(encoding="utf-8"))
    anchors = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in source["files"])
    return TrustList(
        anchors=anchors,
        certificates=anchors.count("-----BEGIN CERTIFICATE-----"),
        date=source["retrieved"],
        attribution=source["attribution"],
        sha256=hashlib.sha256(anchors.encode()).hexdigest(),
    )


def read_anchors(path: Path) -> str:
    """The PEM certificates of a `--trust-list` file; raises InputError where it holds none."""
    from scanner.errors import InputError

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"--trust-list {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--trust-list {path} cannot be read: {error}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise InputError(f"--trust-list {path} holds no PEM certificate")
    return text
