"""What becomes of the records: the options on reports, messages and the exit code, and the checks across them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.report import PAGES, StdoutFormat, check_targets, ending
from scanner.report.page_settings import DEFAULT_THUMBNAILS, byte_limit


class Only(enum.StrEnum):
    """Which records a report holds; the summary counts all."""

    FLAGGED = "flagged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Where the report of a run goes and what is said about it.

    Raises UsageError where options contradict each other.
    """

    format: StdoutFormat | None = None
    """What standard output carries; None: it depends on who reads it."""
    output: tuple[str, ...] = ()
    """Files, each in the format of its ending."""
    thumbnails: int = DEFAULT_THUMBNAILS
    """Pictures in an HTML report at most."""
    heatmaps: bool = False
    """Whether an HTML report shows where the scores of what was found come from."""
    summary: str | None = None
    only: Only | None = None
    print0: bool = False
    list_only: bool = False
    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    log_file: str | None = None
    exit_zero: bool = False
    ignore_errors: bool = False

    def __post_init__(self) -> None:
        if self.print0 and self.format is not None:
            raise UsageError("--print0 and --format exclude each other")
        if self.print0 and self.only is Only.FAILED:
            raise UsageError("--print0 prints flagged paths, so it excludes --only failed")
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose exclude each other")
        if self.list_only and (self.format or self.output or self.summary or self.only):
            raise UsageError("--list writes no report, so it excludes --format, --output, --summary and --only")
        if self.thumbnails < 0:
            raise UsageError(f"--thumbnails must be at least 0, not {self.thumbnails}")
        check_targets(self.output, self.summary)
        if self.heatmaps and not self.thumbnail_bytes:
            raise UsageError("--heatmaps is for the pictures of a page: give -o FILE.html")

    @property
    def thumbnail_bytes(self) -> int:
        """Bytes that a small picture of each file may have for the pages among the reports; 0 where none is wanted."""
        wanted = self.thumbnails > 0 and any(ending(target) in PAGES for target in self.output)
        return byte_limit(self.thumbnails) if wanted else 0
