"""The list of what was copied or moved: written and synced before anything happens, so that all of it can be undone."""

from __future__ import annotations

import base64
import contextlib
import enum
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanner.durable import sync_folder
from scanner.errors import InputError
from scanner.records import public_path

FORM = 1
"""Version of the manifest's form."""


class Action(enum.StrEnum):
    """What is done with flagged files."""

    COPY = "copy"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that is about to be copied or moved."""

    action: Action
    source: str
    """Absolute."""
    target: str
    """Below the manifest's folder, which may be moved as a whole."""
    sha256: str
    size: int
    """Bytes."""


class Manifest:
    """A new manifest in a folder; made with its first entry, so that a run without flagged files leaves none."""

    def __init__(self, folder: Path, action: Action) -> None:
        self._folder = folder
        self._action = action
        self._file: Any = None
        self.path: Path | None = None
        """The manifest, once it has an entry."""

    def append(self, entry: Entry) -> None:
        """Write an entry so that it outlives a power cut; raises OSError where that cannot be done."""
        if self._file is None:
            self._begin()
        fields = {
            **_path_fields("source", entry.source),
            **_path_fields("target", entry.target),
            "sha256": entry.sha256,
            "bytes": entry.size,
        }
        self._write(fields)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        now = datetime.now(UTC)
        stem = f"dfscan-{self._action.value}-{now:%Y%m%dT%H%M%SZ}"
        for count in range(1, 1000):
            path = self._folder / (f"{stem}.jsonl" if count == 1 else f"{stem}-{count}.jsonl")
            with contextlib.suppress(FileExistsError):
                self._file = open(path, "x", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed by close()
                break
        else:
            raise FileExistsError(f"{self._folder} holds a thousand manifests of this second")
        self.path = path
        self._write({"manifest": FORM, "action": self._action.value, "started": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
        sync_folder(self._folder)

    def _write(self, fields: dict[str, Any]) -> None:
        self._file.write(json.dumps(fields) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_manifest(path: Path) -> Iterator[Entry]:
    """Yield the entries of a manifest; raises InputError where it is none.

    A last line that a kill tore is left out: nothing was done about it yet.
    """
    try:
        with open(path, encoding="utf-8") as file:
            action = _read_head(path, file.readline())
            for number, line in enumerate(file, 2):
                if not line.endswith("\n"):
                    return
                try:
                    yield _read_entry(action, json.loads(line))
                except (ValueError, TypeError, KeyError) as error:
                    raise InputError(f"{path}, line {number}: no entry of a manifest") from error
    except OSError as error:
        raise InputError(f"cannot read the manifest {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no manifest: {error}") from error


def _read_head(path: Path, line: str) -> Action:
    try:
        head = json.loads(line)
        if head["manifest"] == FORM:
            return Action(head["action"])
    except (ValueError, TypeError, KeyError):
        pass
    raise InputError(f"{path} is no manifest of --copy-flagged or --move-flagged that this version reads")


def _read_entry(action: Action, fields: dict[str, Any]) -> Entry:
    return Entry(
        action, _read_path("source", fields), _read_path("target", fields), str(fields["sha256"]), int(fields["bytes"])
    )


def _path_fields(name: str, path: str) -> dict[str, str]:
    """A path as text and, where it is not UTF-8, as its bytes in base64."""
    text, raw = public_path(path)
    return {name: text} if raw is None else {name: text, f"{name}_bytes": raw}


def _read_path(name: str, fields: dict[str, Any]) -> str:
    raw = fields.get(f"{name}_bytes")
    return str(fields[name]) if raw is None else os.fsdecode(base64.b64decode(raw))
