"""Reads records back from a JSONL report, and its run and summary from the file beside it."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from scanner.errors import InputError
from scanner.records import (
    SCHEMA,
    Decision,
    Declared,
    Evidence,
    Failure,
    FileResult,
    Label,
    Reason,
    RunInfo,
    Stage,
    Status,
    Summary,
    Trust,
)
from scanner.report import companion

_LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a record is a few hundred, so anything beyond this is no report."""

_T = TypeVar("_T")


def read_records(path: str, *, torn: Callable[[str], None]) -> Iterator[FileResult]:
    """The records of a JSONL report, one by one; holds one line at a time.

    `torn(message)` is called where the last line is unfinished, as a killed run leaves it; that line is left out.
    Raises InputError, with the line, for anything that is no record of dfscan.
    """
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
                if line.strip():
                    try:
                        yield _record(line)
                    except (ValueError, TypeError, KeyError, RecursionError) as error:
                        if not line.endswith(b"\n") and len(line) < _LONGEST_LINE and number > 1:
                            torn(f"{path}: line {number} is unfinished and left out")
                            return
                        raise InputError(f"{path}, line {number}: no record of dfscan: {_why(error)}") from error
    except OSError as error:
        raise InputError(f"cannot read the report {path}: {error.strerror or error}") from error


def read_run(path: str) -> tuple[RunInfo | None, Summary | None]:
    """Run and summary of a JSONL report from the file that `-o` writes beside it; None for what is not there.

    Raises InputError where that file is there and of another form.
    """
    beside = companion(path)
    if beside is None or not os.path.isfile(beside):  # noqa: PTH113 - a path as given
        return None, None
    try:
        with open(beside, "rb") as file:
            data = json.loads(file.read(_LONGEST_LINE))
        return _dataclass(RunInfo, data["run"]), _dataclass(Summary, data["summary"])
    except OSError as error:
        raise InputError(f"cannot read {beside}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{beside} holds no run and summary of dfscan: {_why(error)}") from error


def record_from_json(data: dict[str, Any]) -> FileResult:
    """The record that `FileResult.as_json` gave; raises KeyError, TypeError or ValueError on any other form.

    Keys that a filter left out are taken as null, but `path` and `status` must be there. Times are kept to the second.
    """
    if data.get("schema", SCHEMA) > SCHEMA:
        raise ValueError(f"schema {data['schema']} is newer than this dfscan reads ({SCHEMA})")
    return FileResult(
        path=os_path(_text(data["path"]), data.get("path_bytes")),
        status=Status(data["status"]),
        label=_maybe(Label, data.get("label")),
        flagged=data.get("flagged") is True,
        reviewed=_maybe(Decision, data.get("reviewed")),
        probability=_fraction(data.get("probability")),
        threshold=_fraction(data.get("threshold")),
        logit=_number(data.get("logit")),
        declared=_maybe(Declared, data.get("declared")),
        reasons=tuple(_text(reason) for reason in data.get("reasons") or ()),
        evidence=tuple(_evidence(item) for item in data.get("evidence") or ()),
        generator_hint=_maybe(_text, data.get("generator_hint")),
        width=_maybe(_count, data.get("width")),
        height=_maybe(_count, data.get("height")),
        format=_maybe(_text, data.get("format")),
        bytes=_maybe(_count, data.get("bytes")),
        sha256=_maybe(_text, data.get("sha256")),
        mtime_ns=_maybe(_mtime_ns, data.get("modified")),
        error=_maybe(_failure, data.get("error")),
        cached=data.get("cached") is True,
        model=_maybe(_text, data.get("model")),
    )


def os_path(path: str, path_bytes: str | None) -> str:
    """The path as the operating system takes it: the inverse of `records.public_path`."""
    if path_bytes is None:
        return path
    return base64.b64decode(_text(path_bytes), validate=True).decode("utf-8", "surrogateescape")


def _record(line: bytes) -> FileResult:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise TypeError("a JSON object is wanted")
    return record_from_json(data)


def _failure(item: dict[str, Any]) -> Failure:
    return Failure(Stage(item["stage"]), Reason(item["reason"]), _text(item["detail"]))


def _evidence(item: dict[str, Any]) -> Evidence:
    return Evidence(
        source=_text(item["source"]),
        claim=_maybe(Declared, item["claim"]),
        generator=_maybe(_text, item["generator"]),
        detail=_text(item["detail"]),
        trust=Trust(item["trust"]),
    )


def _maybe(convert: Callable[[Any], _T], value: Any) -> _T | None:
    return None if value is None else convert(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is wanted, not {value!r:.40}")
    return value if value.isascii() else _without_lone_surrogates(value)


def _without_lone_surrogates(text: str) -> str:
    """JSON can spell them, no encoding can hold them, and dfscan never wrote one."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"a count is wanted, not {value!r:.40}")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"a number is wanted, not {value!r:.40}")
    return float(value)


def _fraction(value: Any) -> float | None:
    number = _number(value)
    if number is not None and not 0 <= number <= 1:
        raise ValueError(f"a probability between 0 and 1 is wanted, not {number!r}")
    return number


def _mtime_ns(value: Any) -> int:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"a time with its zone is wanted, not {value!r:.40}")
    return round(moment.timestamp()) * 1_000_000_000


def _dataclass(kind: type[_T], data: Any) -> _T | None:
    """A RunInfo or Summary; keys of a later version are left out."""
    if data is None:
        return None
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in dict(data).items() if name in names})


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the key {error} is not there"
    if isinstance(error, binascii.Error):
        return "path_bytes is no base64"
    return str(error) or type(error).__name__
