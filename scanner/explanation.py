"""What is known about one file, put together and written out for a person."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from scanner.errors import InputError
from scanner.model import Model
from scanner.names import visible
from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.records import Evidence, FileResult, Trust, rfc3339
from scanner.remote.urls import is_remote, redact
from scanner.verdict import VerdictPolicy

_TRUST = {
    Trust.SIGNED: "signed by a trusted signer",
    Trust.UNTRUSTED: "signed, but nobody trusted vouches for the signer",
    Trust.INVALID: "does not fit the file: not counted",
    Trust.UNSIGNED: "unsigned: anyone can write it",
    Trust.UNREAD: "cannot be read here: not counted",
    Trust.MALFORMED: "broken: not counted",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A file's record with its views' scores, and what led to it."""

    result: FileResult
    model: Model
    policy: VerdictPolicy


def explain_file(options: ScanOptions) -> Explanation:
    """Scan the one file that the options name, and keep the score of each of its views.

    Raises InputError where the file is not there, and whatever a Scan raises.
    """
    path = redact(options.paths[0])
    with Scan(options, view_scores=True) as scan:
        result = next(iter(scan), None)
        if scan.missing or result is None:
            raise InputError(f"{visible(path)}: no such file")
        if is_remote(path) and result.path != path:
            raise InputError(f"explain takes one file, and {visible(path)} is a folder")
    return Explanation(result, scan.model, scan.policy)


def as_document(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON types: the public record, and the views."""
    views = [{"group": view.group, "box": list(view.box), "logit": view.logit} for view in explanation.result.views]
    return {"record": explanation.result.as_json(), "views": views}


def lines(explanation: Explanation) -> list[str]:
    """The explanation for a person, in lines of at most 100 columns where the content allows."""
    result = explanation.result
    return [
        visible(result.path),
        *_field("Verdict", _verdict(result)),
        *_field("Picture", _picture(result)),
        *_field("SHA-256", result.sha256 or "not computed"),
        *_pixels(explanation),
        *_field("Declared", result.declared.value if result.declared else "nothing"),
        *(line for item in result.evidence for line in _evidence(item)),
        *(line for reason in result.reasons for line in _field("Because", reason)),
        *_field("Remember", "a probability is no proof, and metadata can be forged or stripped."),
    ]


def _verdict(result: FileResult) -> str:
    if result.error is not None:
        return f"{result.status.value}: {result.error.reason.value}; {result.error.detail}"
    return "flagged" if result.flagged else "not flagged"


def _picture(result: FileResult) -> str:
    size = f"{result.width}x{result.height}" if result.width else "size unknown"
    parts = [f"{result.format or 'format unknown'} {size}"]
    if result.bytes is not None:
        parts.append(f"{result.bytes} bytes")
    if result.mtime_ns is not None:
        parts.append(f"modified {rfc3339(result.mtime_ns)}")
    return ", ".join(parts)


def _pixels(explanation: Explanation) -> list[str]:
    result, policy = explanation.result, explanation.policy
    if result.label is None or result.probability is None:
        return _field("Pixels", "no score")
    bounds = f"ai-generated from {policy.threshold:.3f}, unsure from {policy.unsure_from:.3f}"
    found = _field("Pixels", f"{result.label.value}: probability {result.probability:.3f} ({bounds})")
    if policy.expected_fpr is not None:
        share = f"about {100 * policy.expected_fpr:.2g} % of real pictures reach the threshold by mistake"
        found += _field("", share)
    found += _field("", f"logit {result.logit:+.4f} by model {result.model}")
    for view in result.views:
        left, top, right, bottom = (f"{part:.0%}" for part in view.box)
        found += _field("", f"view {view.group}, {left},{top} to {right},{bottom}: logit {view.logit:+.4f}")
    return found


def _evidence(item: Evidence) -> list[str]:
    claim = f"says {item.claim.value}" if item.claim else "says nothing of the origin"
    generator = f", names {item.generator}" if item.generator else ""
    return [
        *_field("Evidence", f"{item.source}: {claim}{generator} ({_TRUST[item.trust]})"),
        *_field("", item.detail),
    ]


def _field(title: str, text: str) -> list[str]:
    lines = textwrap.wrap(visible(text), 86, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{title if index == 0 else '':<10}{line}" for index, line in enumerate(lines)]
