"""`--list`: says which files a scan would open as pictures, and opens no further than their first bytes."""

from __future__ import annotations

import os
import sys

from scanner import messages
from scanner.errors import ExitCode, exit_code
from scanner.names import visible
from scanner.options import ScanOptions
from scanner.outputs import stdout
from scanner.records import ImageFile
from scanner.report_options import ReportOptions
from scanner.run import report_missing
from scanner.sniff import SNIFF_BYTES, Kind, sniff
from scanner.summary import count_files
from scanner.terminal import Display, is_terminal
from scanner.walk import walk


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
    for file in walk(options, missing=miss):
        if _would_be_scanned(file):
            listed += 1
            output.write((visible(file.path).encode() if watched else os.fsencode(file.path)) + end)
        else:
            left_out += 1
    messages.notice(f"{count_files(listed)} would be scanned, {left_out:,} would be skipped.")
    return exit_code(interrupted=None, error=bool(missing), failed=0, flagged=0)


def _would_be_scanned(file: ImageFile) -> bool:
    """Whether a scan tries this file: a picture by content, or one that cannot be read and will fail."""
    if file.failure is not None:
        return file.failure.reason.status.value == "failed"
    try:
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return True
    try:
        return sniff(os.read(descriptor, SNIFF_BYTES))[0] is not Kind.OTHER
    except OSError:
        return True
    finally:
        os.close(descriptor)
