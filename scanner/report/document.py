"""Runs, records and summaries as JSON text: valid UTF-8 always, and inert in a terminal or a line reader."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from pathlib import PurePath
from typing import Any

from scanner.names import HIDDEN
from scanner.records import RunInfo, Summary, public_path


def dump(value: Any) -> str:
    """JSON on one line, valid Unicode whatever the strings hold; NaN is refused with ValueError.

    What is legal inside a JSON string and still dangerous when the text is looked at or split into lines is escaped
    (line separators, bidirectional marks, C1 controls): a parser sees the same string.
    """
    return HIDDEN.sub(_escape, json.dumps(value, ensure_ascii=False, allow_nan=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code <= 0xDFFF:  # a lone surrogate is no Unicode
        return "\\ufffd"
    if code > 0xFFFF:
        return json.dumps(match[0])[1:-1]
    return f"\\u{code:04x}"


def clean(value: Any) -> Any:
    """A value as plain JSON types: enums by value, paths and undecodable names as valid Unicode."""
    if isinstance(value, enum.Enum):
        return clean(value.value)
    if isinstance(value, PurePath):
        return clean(str(value))
    if isinstance(value, str):
        return public_path(value)[0]
    if isinstance(value, dict):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: clean(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def run_json(run: RunInfo) -> dict[str, Any]:
    """The report's `run` object."""
    return {field.name: clean(getattr(run, field.name)) for field in dataclasses.fields(run)}


def summary_json(summary: Summary) -> dict[str, Any]:
    """The report's `summary` object."""
    return {field.name: clean(getattr(summary, field.name)) for field in dataclasses.fields(summary)}
