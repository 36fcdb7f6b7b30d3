"""Reports: which format a name asks for, and its writer; one writer a module, loaded when it is used."""

from __future__ import annotations

import enum
import importlib
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from scanner.errors import UsageError
from scanner.report.interface import Output, ReportWriter

if TYPE_CHECKING:
    from scanner.report.page_settings import PageSettings


class StdoutFormat(enum.StrEnum):
    """What standard output carries."""

    TABLE = "table"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"


_WRITERS = {
    ".jsonl": "scanner.report.jsonl_report:JsonlReport",
    ".ndjson": "scanner.report.jsonl_report:JsonlReport",
    ".json": "scanner.report.json_report:JsonReport",
    ".csv": "scanner.report.csv_report:CsvReport",
    ".html": "scanner.report.html_report:HtmlReport",
    ".htm": "scanner.report.html_report:HtmlReport",
}
"""Ending -> a class whose constructor takes an Output, that of a page also its settings."""
PAGES = (".html", ".htm")


def is_report(target: str) -> bool:
    """Whether the ending of `-o TARGET` names a format."""
    return PurePath(target).suffix.lower() in _WRITERS


def ending(target: str) -> str:
    """The ending that names the format of `-o FILE`; raises UsageError for one that names none."""
    suffix = PurePath(target).suffix.lower()
    if not is_report(target):
        known = ", ".join(sorted(_WRITERS))
        raise UsageError(f"-o {target}: no report format has the ending {suffix or '(none)'}; known are {known}")
    return suffix


def writer(suffix: str, output: Output, page: PageSettings | None = None) -> ReportWriter:
    """A writer of the format with this ending (`.json`), on an open output; `page` is for pages alone."""
    module, name = _WRITERS[suffix].split(":")
    settings: tuple[Any, ...] = (page,) if suffix in PAGES else ()
    return cast(ReportWriter, getattr(importlib.import_module(module), name)(output, *settings))


def companion(target: str) -> str | None:
    """The file that takes run and summary beside a JSONL report: `x.run.json` for `x.jsonl`."""
    path = PurePath(target)
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return None
    return str(path.with_suffix(".run.json"))


def check_targets(targets: Sequence[str], summary: str | None) -> None:
    """Refuse endings that name no format and names that would be written twice; raises UsageError."""
    seen: dict[str, str] = {}
    for target in targets:
        ending(target)
    wanted = [name for target in targets for name in (target, companion(target)) if name]
    for name in [*wanted, *([summary] if summary else [])]:
        place = os.path.realpath(name)
        if place in seen:
            raise UsageError(f"{name} would be written twice")
        seen[place] = name
