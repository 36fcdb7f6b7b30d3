"""`--list`: says which files a scan would open as pictures, and opens no further than their first bytes."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

from scanner import messages
from scanner.errors import ExitCode, exit_code
from scanner.names import visible
from scanner.options import ScanOptions
from scanner.outputs import stdout
from scanner.records import Failure, ImageFile
from scanner.remote.urls import is_remote, local_path
from scanner.report_options import ReportOptions
from scanner.run import report_missing
from scanner.sniff import SNIFF_BYTES, Kind, sniff
from scanner.summary import count_files
from scanner.terminal import Display, is_terminal
from scanner.walk import walk

_REQUESTS = 32
"""Beginnings of remote files that are fetched at once."""


def list_files(options: ScanOptions, wanted: ReportOptions, display: Display) -> ExitCode:
    """Print the paths, one a line (NUL-separated under --print0), with their exact bytes except on a terminal."""
    missing: list[str] = []

    def miss(path: str, error: OSError) -> None:
        missing.append(path)
        report_missing(path, error)

    output = stdout(display.aside)
    watched = is_terminal(sys.stdout) and not wanted.print0
    end = b"\0" if wanted.print0 else b"\n"
    listed = left_out = 0
    for file, scanned in _decided(walk(options, missing=miss), options):
        if scanned:
            listed += 1
            output.write((visible(file.path).encode() if watched else os.fsencode(file.path)) + end)
        else:
            left_out += 1
    messages.notice(f"{count_files(listed)} would be scanned, {left_out:,} would be skipped.")
    return exit_code(interrupted=None, error=bool(missing), failed=0, flagged=0)


def _decided(files: Iterator[ImageFile], options: ScanOptions) -> Iterator[tuple[ImageFile, bool]]:
    """Each file, and whether a scan tries it; the beginnings of remote ones are fetched some at a time."""
    ahead: deque[tuple[ImageFile, Future[bytes | Failure] | bool]] = deque()
    for file in files:
        if file.failure is None and is_remote(file.path):
            from scanner.remote.fetching import fetch_head
            from scanner.remote.stores import start

            ahead.append((file, start(fetch_head(file, options))))
        else:
            ahead.append((file, _would_be_scanned(file)))
        while ahead and (isinstance(ahead[0][1], bool) or len(ahead) > _REQUESTS):
            yield _decision(*ahead.popleft())
    while ahead:
        yield _decision(*ahead.popleft())


def _decision(file: ImageFile, answer: Future[bytes | Failure] | bool) -> tuple[ImageFile, bool]:
    if isinstance(answer, bool):
        return file, answer
    head = answer.result()
    return file, isinstance(head, Failure) or not head or sniff(head)[0] is not Kind.OTHER


def _would_be_scanned(file: ImageFile) -> bool:
    """Whether a scan tries this file: a picture by content, or one that cannot be read and will fail."""
    if file.failure is not None:
        return file.failure.reason.status.value == "failed"
    try:
        descriptor = os.open(
            local_path(file.path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError:
        return True
    try:
        return sniff(os.read(descriptor, SNIFF_BYTES))[0] is not Kind.OTHER
    except OSError:
        return True
    finally:
        os.close(descriptor)
