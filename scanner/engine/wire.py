"""Messages between a guard and its child: pickled frames over pipes, with a length before each."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from scanner.examine_settings import Settings
from scanner.limits import Limits
from scanner.options import Device
from scanner.records import Examined, ImageFile

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class ArenaName:
    """How a child finds the memory that it shares with its parent (scanner.engine.arena)."""

    descriptor: int
    """Inherited file descriptor; -1 on Windows."""
    tag: str
    """Name of the mapping on Windows; empty elsewhere."""
    rows: int
    size: int
    """Side of a view in pixels."""


@dataclass(frozen=True, slots=True)
class Start:
    """First message to a child: what it serves."""

    model: str
    """Model folder or shipped name, as `load_model` takes it."""
    device: Device
    settings: Settings
    max_memory: int | None
    """Bytes of address space that pictures may take on top of what the child needs when ready; None: no limit."""
    arena: ArenaName | None = None
    """Where views go for the parent to classify them; None: the child has a session of its own."""


@dataclass(frozen=True, slots=True)
class Classify:
    """From a child without a network, amid a task: views of these groups lie in its arena; it waits for Logits."""

    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Logits:
    """The answer to Classify."""

    values: bytes
    """float32, row by row."""
    columns: int
    """Numbers of a row: the logit, and those of generator families where the model has them."""


@dataclass(frozen=True, slots=True)
class StartDrawing:
    """First message to a child that makes small pictures for a page."""

    limits: Limits
    max_memory: int | None
    """As for Start."""


@dataclass(frozen=True, slots=True)
class Ready:
    """First message from a child: it can take tasks."""

    provider: str


@dataclass(frozen=True, slots=True)
class Refused:
    """First message from a child that cannot serve: the name of the DfscanError and its message."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """Files to examine together."""

    files: tuple[ImageFile, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """Before the answer to a task: the child has come to this file, or past the last one to classifying all."""

    number: int


@dataclass(frozen=True, slots=True)
class Done:
    """The results of one task, in its order."""

    results: tuple[Examined, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """A picture to be made small, if the file still holds the content that was scanned."""

    path: str
    sha256: str | None
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A small picture, or why there is none."""

    jpeg: bytes | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class StartHeating:
    """First message to a child that makes heat maps."""

    model: str
    """As for Start."""
    limits: Limits
    max_memory: int | None
    """As for Start."""


@dataclass(frozen=True, slots=True)
class Heat:
    """A picture whose heat map is asked for, if the file still holds the content that was scanned."""

    path: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Heated:
    """The logit of a second look and the heat map, or nothing where the picture is not there any more."""

    logit: float = 0.0
    rows: bytes | None = None
    """float32, row by row."""
    columns: int = 0


def send(stream: BinaryIO, message: Any) -> None:
    """Write one frame; raises OSError where the other side is gone."""
    body = pickle.dumps(message, protocol=5)
    stream.write(_LENGTH.pack(len(body)))
    stream.write(body)  # not copied once more: it may hold a picture
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """The next message; None where the other side has ended (also amid a frame)."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return pickle.loads(body) if len(body) == length else None  # both sides are this program
