"""Runs, records and summaries as JSON text: valid UTF-8 always, and inert in a terminal or a line reader."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from pathlib import PurePath
from typing import Any

from scanner.records import RunInfo, Summary, public_path

# Legal inside JSON strings, and still dangerous when the text is looked at or split into lines: DEL and the C1
# controls, line and paragraph separators, zero-width and bidirectional marks. Escaped, a reader sees the same string.
# A lone surrogate is no Unicode at all: it becomes the replacement character.
_LOUD = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


def dump(value: Any) -> str:
    """JSON on one line, valid Unicode whatever the strings hold; NaN is refused with ValueError."""
    return _LOUD.sub(_escape, json.dumps(value, ensure_ascii=False, allow_nan=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


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
