"""Memory that a child and its parent share: views go through it, so that no pixel is pickled or piped."""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scanner.engine.wire import ArenaName


class Arena:
    """Room for `rows` views; gone with the last process that holds it, however that ends."""

    def __init__(self, rows: int, size: int) -> None:
        self._file: BinaryIO | None = None
        length = rows * size * size * 3
        if sys.platform == "win32":
            self.name = ArenaName(-1, f"dfscan-{secrets.token_hex(16)}", rows, size)
        else:
            self._file = _anonymous_file(length)
            self.name = ArenaName(self._file.fileno(), "", rows, size)
        self.views = open_arena(self.name)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the child has to inherit."""
        return (self.name.descriptor,) if self.name.descriptor >= 0 else ()

    def close(self) -> None:
        """Give this process's hold on it back."""
        if self._file is not None:
            self._file.close()


def open_arena(name: ArenaName) -> NDArray[np.uint8]:
    """The shared views, uint8 [rows, S, S, 3]."""
    length = name.rows * name.size * name.size * 3
    if sys.platform == "win32":
        memory = mmap.mmap(-1, length, tagname=name.tag)
    else:
        memory = mmap.mmap(name.descriptor, length)
    return np.frombuffer(memory, np.uint8).reshape(name.rows, name.size, name.size, 3)


def _anonymous_file(length: int) -> BinaryIO:
    """A file without a name, in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("dfscan-views"), "r+b")
    else:
        file = tempfile.TemporaryFile("r+b")  # noqa: SIM115 - closed by the arena
    file.truncate(length)
    return file
