"""Reads the paths that `--files-from` names, one after the other, however long the list is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from scanner.errors import InputError

_BLOCK = 64 * 1024
_LONGEST_PATH = 1024 * 1024


def read_list(source: str, *, null_separated: bool) -> Iterator[list[str]]:
    """Yield the paths of a list, as their bytes are, undecodable ones as surrogates (PEP 383); empty ones are left out.

    They come as many at a time as are there at once. `source` is a file's path, or `-` for standard input. Raises
    InputError where the list cannot be read.
    """
    name = "standard input" if source == "-" else source
    separator = b"\0" if null_separated else b"\n"
    try:
        if source == "-":
            yield from _split(sys.stdin.buffer, separator, name)
        else:
            with open(source, "rb") as file:
                yield from _split(file, separator, name)
    except OSError as error:
        raise InputError(f"cannot read the list of files {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"cannot read the list of files {name}: {error}") from error


def _split(file: BinaryIO, separator: bytes, name: str) -> Iterator[list[str]]:
    rest = b""
    while block := _read(file):
        *whole, rest = (rest + block).split(separator)
        yield [path for line in whole for path in _decode(line, separator)]
        if len(rest) > _LONGEST_PATH:
            raise InputError(f"{name} is no list of files: a path longer than {_LONGEST_PATH} bytes")
    yield list(_decode(rest, separator))


def _read(file: BinaryIO) -> bytes:
    """What is there now, so that a slow producer's paths are scanned while it goes on."""
    read1 = getattr(file, "read1", file.read)
    block: bytes = read1(_BLOCK)
    return block


def _decode(path: bytes, separator: bytes) -> Iterator[str]:
    if os.name == "nt" and separator == b"\n":
        path = path.removesuffix(b"\r")
    if path:
        yield os.fsdecode(path)
