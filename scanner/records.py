"""The frozen, typed records that stages hand to each other; no stage's logic lives here."""

from __future__ import annotations

import base64
import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 1
"""Version of the record format; raised when a key changes its name or meaning."""

Jpeg = bytes
"""An encoded picture; a name of its own, since records have a field `bytes`."""


class Status(enum.StrEnum):
    """What became of a file: every file found has exactly one."""

    SCANNED = "scanned"
    FAILED = "failed"
    SKIPPED = "skipped"


class Label(enum.StrEnum):
    """The verdict from the pixels alone."""

    AI_GENERATED = "ai-generated"
    UNSURE = "unsure"
    REAL = "real"


class Declared(enum.StrEnum):
    """What the file says of its own origin."""

    AI_GENERATED = "ai-generated"
    AI_EDITED = "ai-edited"
    CAPTURED = "captured"


class Decision(enum.StrEnum):
    """What a person decided about a picture; only `--baseline` sets it."""

    AI = "ai"
    REAL = "real"
    UNSURE = "unsure"


class Trust(enum.StrEnum):
    """How far an evidence can be relied upon."""

    SIGNED = "signed"  # valid C2PA manifest of a signer on the trust list
    UNTRUSTED = "untrusted"  # valid C2PA manifest, signer not on the trust list
    INVALID = "invalid"  # C2PA manifest that fails validation (tampered)
    UNSIGNED = "unsigned"  # plain metadata: anyone can write or strip it
    UNREAD = "unread"  # present, but this installation cannot read it
    MALFORMED = "malformed"  # present and broken


class Stage(enum.StrEnum):
    """Where a file stopped."""

    WALK = "walk"
    FETCH = "fetch"
    DECODE = "decode"
    PREPARE = "prepare"
    CLASSIFY = "classify"


class Reason(enum.StrEnum):
    """Why a file was not scanned; the first group fails, the second skips."""

    EMPTY = "empty"
    CORRUPT = "corrupt"
    TRUNCATED = "truncated"
    VANISHED = "vanished"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_PIXELS = "too-many-pixels"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out-of-memory"

    NOT_A_PICTURE = "not-a-picture"
    SPECIAL_FILE = "special-file"
    SYMLINK = "symlink"
    HIDDEN = "hidden"
    EXCLUDED = "excluded"
    IGNORED = "ignored"
    TOO_DEEP = "too-deep"
    LOOP = "loop"

    @property
    def status(self) -> Status:
        """Whether a file with this reason counts as failed or as skipped."""
        return Status.SKIPPED if self in _SKIPPING else Status.FAILED


_SKIPPING = frozenset(
    {
        Reason.NOT_A_PICTURE,
        Reason.SPECIAL_FILE,
        Reason.SYMLINK,
        Reason.HIDDEN,
        Reason.EXCLUDED,
        Reason.IGNORED,
        Reason.TOO_DEEP,
        Reason.LOOP,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file has no score: a value, not an exception."""

    stage: Stage
    reason: Reason
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        """The record's `error` object."""
        return {"stage": self.stage.value, "reason": self.reason.value, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One entry that the walk met; `failure` is set where it is not to be opened.

    `path` is as given (argument joined with the relative part), undecodable bytes as surrogates (PEP 383); a URL
    without what is secret in it.
    """

    path: str
    size: int | None = None
    mtime_ns: int | None = None
    device: int | None = None
    inode: int | None = None
    """Of an object in a store: a number made of its ETag."""
    failure: Failure | None = None
    location: str | None = field(default=None, repr=False)
    """The URL to fetch it from where `path` is not all of it; never reported, for it holds secrets."""
    content: bytes | None = field(default=None, repr=False)
    """Its bytes where they were fetched: it is not opened then; only as long as an engine holds them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement that a file makes of its origin (see scanner/provenance)."""

    source: str
    """Where it stands: `c2pa`, `xmp`, `iptc`, `exif`, `png-text`, `comment`, `watermark` (the pixels themselves)."""
    claim: Declared | None
    generator: str | None
    detail: str
    trust: Trust

    def as_json(self) -> dict[str, str | None]:
        """The element of the record's `evidence` list."""
        return {
            "source": self.source,
            "claim": self.claim.value if self.claim else None,
            "generator": self.generator,
            "detail": self.detail,
            "trust": self.trust.value,
        }


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Pixels of one picture, oriented, as sRGB."""

    pixels: NDArray[np.uint8]
    """uint8 [H, W, 3]; may be a scaled decode of the stored picture."""
    width: int
    """Stored width in pixels after orientation, before any scaled decoding."""
    height: int
    format: str
    """Pillow's name of the container: JPEG, PNG, WEBP ..."""


@dataclass(frozen=True, slots=True)
class View:
    """One array that the network sees, and the head that reads it."""

    pixels: NDArray[np.uint8]
    """uint8 [S, S, 3]."""
    group: int
    """Index into the view policy's groups."""
    box: tuple[float, float, float, float]
    """Region of the picture it shows: left, top, right, bottom as fractions."""


@dataclass(frozen=True, slots=True)
class ViewScore:
    """What the network says of one part of the picture."""

    group: str
    """Name of the view policy's group."""
    box: tuple[float, float, float, float]
    """As in View."""
    logit: float


@dataclass(frozen=True, slots=True)
class Examined:
    """What an engine found out about one file, before any threshold."""

    file: ImageFile
    failure: Failure | None = None
    logit: float | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    sha256: str | None = None
    evidence: tuple[Evidence, ...] = ()
    cached: bool = False
    thumbnail: Jpeg | None = field(default=None, repr=False)
    """A small JPEG, where a page wants it and the picture was decoded in this run."""
    views: tuple[ViewScore, ...] = field(default=(), repr=False)
    """What the logit is made of, where an explanation wants it."""
    family: tuple[int, float] | None = None
    """Number of the likeliest generator family and its probability among them, where the model tells families."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """The record of one file found: every key of the public report (DESIGN: Record)."""

    path: str
    status: Status
    label: Label | None = None
    flagged: bool = False
    reviewed: Decision | None = None
    """A person's earlier decision on this content: then `flagged` is false whatever the label."""
    probability: float | None = None
    threshold: float | None = None
    logit: float | None = None
    declared: Declared | None = None
    reasons: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    generator_hint: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    mtime_ns: int | None = None
    error: Failure | None = None
    cached: bool = False
    model: str | None = None
    thumbnail: Jpeg | None = field(default=None, repr=False)
    """As in Examined; for pages, no part of the public record."""
    views: tuple[ViewScore, ...] = field(default=(), repr=False)
    """As in Examined; for explanations, no part of the public record."""

    def as_json(self) -> dict[str, Any]:
        """The record as JSON types, keys in their public order.

        `path` is valid Unicode always; `path_bytes` (base64) is there where the name on disk is not UTF-8.
        """
        path, path_bytes = public_path(self.path)
        return {
            "path": path,
            "path_bytes": path_bytes,
            "status": self.status.value,
            "label": self.label.value if self.label else None,
            "flagged": self.flagged,
            "reviewed": self.reviewed.value if self.reviewed else None,
            "probability": self.probability,
            "threshold": self.threshold,
            "logit": self.logit,
            "declared": self.declared.value if self.declared else None,
            "reasons": list(self.reasons),
            "evidence": [evidence.as_json() for evidence in self.evidence],
            "generator_hint": self.generator_hint,
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "modified": rfc3339(self.mtime_ns),
            "error": self.error.as_json() if self.error else None,
            "cached": self.cached,
            "model": self.model,
            "schema": SCHEMA,
        }


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The conditions of a run: the report's `run` object."""

    version: str
    command: tuple[str, ...]
    started: str
    """RFC 3339, UTC."""
    model: str | None
    provider: str | None
    device: str | None
    threshold: float | None
    unsure_from: float | None
    expected_fpr: float | None
    """False-positive rate on held-out real pictures at `threshold`; null where it was set outright."""
    workers: int | None
    batch_size: int | None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """The report's `summary` object; found = scanned + failed + skipped."""

    found: int
    scanned: int
    failed: int
    skipped: int
    flagged: int
    labels: dict[str, int]
    declared: dict[str, int]
    failures: dict[str, int]
    skips: dict[str, int]
    cached: int
    seconds: float
    expected_false_alarms: float | None
    interrupted: bool = False


def public_path(path: str) -> tuple[str, str | None]:
    """A path as valid Unicode, and its bytes in base64 where the name on disk is not UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "replace"), base64.b64encode(raw).decode("ascii")
    return path, None


def rfc3339(mtime_ns: int | None) -> str | None:
    """A modification time (ns since the epoch) as RFC 3339 in UTC, to the second; null where it is out of range."""
    if mtime_ns is None:
        return None
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
