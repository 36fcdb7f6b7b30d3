"""What the page says and holds: its sentences, its table of conditions, and its records as inert JSON."""

from __future__ import annotations

import os
import shlex
from typing import Any
from urllib.parse import quote

from scanner.errors import UsageError
from scanner.names import visible
from scanner.records import FileResult, RunInfo, Summary, public_path
from scanner.remote.urls import is_remote, local_path
from scanner.report.document import clean, dump
from scanner.summary import duration, rate

_LONGEST_TEXT = 2000
"""Signs of one evidence's detail in the page: a generator's whole workflow may be a megabyte; the JSONL has it all."""
_MOST_EVIDENCE = 30
_REPRODUCED = ("model", "flag", "trust", "calibration", "device", "max_pixels", "max_bytes")
"""Options of a run, beside its thresholds, on which a verdict depends."""
_USUAL = {"flag": "ai-generated", "trust": "all", "device": "auto", "model": "default"}


def inert(value: Any) -> str:
    """JSON that no HTML parser takes for anything but text inside a script element."""
    return dump(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def page_record(result: FileResult, run: RunInfo, link: str | None) -> dict[str, Any]:
    """The record as the page holds it: null, empty and repeated values left out, long texts cut.

    `link`: URL of the file, relative to the page.
    """
    whole = result.as_json().items()
    record = {key: value for key, value in whole if value is not None and value is not False and value != []}
    del record["schema"]
    for key, common in (("model", run.model), ("threshold", run.threshold)):
        if record.get(key) == common:
            record.pop(key, None)
    if "evidence" in record:
        record["evidence"] = [_cut_evidence(item) for item in record["evidence"][:_MOST_EVIDENCE]]
    if "error" in record:
        record["error"]["detail"] = _cut(record["error"]["detail"])
    record["path"] = public_path(result.path)[0]
    return record if link is None else {**record, "href": link}


def relative_link(path: str, folder: str | None) -> str | None:
    """A URL from a page in `folder` to the file, byte for byte; None where none can lead there (another drive).

    Nor to what lies in a store: the page has its URL to copy, and leads into no network.
    """
    if folder is None or not path or "\0" in path or is_remote(path):
        return None
    try:
        relative = os.path.relpath(local_path(path), folder or os.curdir)
    except (ValueError, UsageError):
        return None
    # "./" keeps a name like `javascript:x` from being taken for a scheme; quote() encodes the colon besides.
    return "./" + quote(os.fsencode(relative.replace(os.sep, "/")))


def _cut_evidence(item: dict[str, Any]) -> dict[str, Any]:
    return {key: _cut(value) if isinstance(value, str) else value for key, value in item.items() if value is not None}


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}… ({len(text) - _LONGEST_TEXT:,} more signs in the JSONL report)"


def percent(value: float) -> str:
    """A probability as people read it: `87.3 %`."""
    return f"{100 * value:.1f} %"


def sentences(run: RunInfo, summary: Summary) -> list[str]:
    """What the figures mean, in plain words."""
    lines = []
    if run.threshold is not None:
        line = f"A picture is labelled AI-generated from {percent(run.threshold)} on"
        if run.unsure_from is not None and run.unsure_from < run.threshold:
            line += f", unsure from {percent(run.unsure_from)}"
        lines.append(line + ".")
    if summary.scanned and run.threshold is not None:
        lines.append(_false_alarms(run, summary))
    said = [f"{summary.declared.get(key, 0):,} {text}" for key, text in _DECLARED if summary.declared.get(key)]
    if said:
        lines.append(f"What files declare of themselves: {', '.join(said)}.")
    return lines


_DECLARED = (
    ("ai-generated", "AI-generated"),
    ("ai-edited", "AI-edited"),
    ("captured", "captured by a camera"),
)


def _false_alarms(run: RunInfo, summary: Summary) -> str:
    if run.expected_fpr is None or summary.expected_false_alarms is None:
        return "How many false alarms to expect is not known: this threshold is not from the model's measured table."
    alarms = summary.expected_false_alarms
    about = f"{alarms:,.0f}" if alarms >= 9.5 else f"{alarms:.1f}"
    return (
        f"False alarms to expect: were all {summary.scanned:,} scanned pictures real, about {about} would still be "
        f"labelled AI-generated ({100 * run.expected_fpr:.2g} % of real pictures, measured)."
    )


def conditions(run: RunInfo, summary: Summary, histogram_of: int) -> list[tuple[str, str]]:
    """The run's conditions for the page's table, those that are known."""
    rows: list[tuple[str, object]] = [
        ("Model", run.model),
        ("Threshold", run.threshold),
        ("Unsure from", run.unsure_from),
        ("Device", " · ".join(str(part) for part in (run.device, run.provider) if part)),
        ("Workers", run.workers),
        ("Batch size", run.batch_size),
        ("Started", run.started),
        ("Duration", _duration(summary)),
        ("From the cache", f"{summary.cached:,}" if summary.cached else None),
        ("Failed because", _counts(summary.failures)),
        ("Skipped because", _counts(summary.skips)),
        ("Command", shlex.join(str(clean(word)) for word in run.command)),
        ("dfscan", run.version),
    ]
    if histogram_of != summary.scanned:
        rows.append(("In this report", f"{histogram_of:,} of {summary.scanned:,} scanned pictures"))
    return [(name, visible(str(value))) for name, value in rows if value not in (None, "")]


def _duration(summary: Summary) -> str | None:
    if not summary.seconds:
        return None
    return f"{duration(summary.seconds)}{rate(summary)}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def reproducing_command(run: RunInfo) -> str:
    """The command that gives a picture the same verdict, up to its path."""
    words = ["dfscan", "scan", "--no-cache"]
    for name in _REPRODUCED:
        value = clean(run.options.get(name))
        if value not in (None, _USUAL.get(name), _default(name)):
            words += [f"--{name.replace('_', '-')}", str(value)]
    if run.threshold is not None:
        words += ["--threshold", repr(run.threshold)]
    if run.unsure_from is not None:
        words += ["--unsure-from", repr(run.unsure_from)]
    return shlex.join(words)


def _default(name: str) -> object:
    from scanner.options import ScanOptions

    return clean(ScanOptions.__dataclass_fields__[name].default)
