"""How results are kept as bytes: short, checked by a checksum, and read back only if they are whole."""

from __future__ import annotations

import json
import zlib

from scanner.records import Declared, Evidence, Examined, Failure, Reason, Stage, Trust

KEPT = frozenset(
    {
        Reason.CORRUPT,
        Reason.TRUNCATED,
        Reason.UNSUPPORTED,
        Reason.TOO_MANY_PIXELS,
        Reason.TIMEOUT,
        Reason.CRASHED,
        Reason.NOT_A_PICTURE,
    }
)
"""Failures that the content explains: the same bytes under the same limits would fail again."""

_CHECKSUM_BYTES = 4
_FAILURE = b"!"


Outcome = tuple[Failure | None, float | None, int | None, int | None, str | None]
"""What the pixels led to: failure, logit, width, height, format; the fields of Examined after its file."""
Family = tuple[int, float]
"""Number and probability of the likeliest generator family."""


def pack_outcome(examined: Examined, limits: str) -> bytes | None:
    """The bytes of an outcome, or None where it is not to be kept; a failure holds under the same limits only.

    `examined` has its content's sha256: the checksum covers it, so that no content is shown another's outcome.
    """
    if examined.sha256 is None:
        return None
    sha256, failure = bytes.fromhex(examined.sha256), examined.failure
    if failure is not None:
        if failure.reason not in KEPT or failure.stage is Stage.WALK:
            return None
        fields = [limits, failure.stage.value, failure.reason.value, failure.detail]
        size = [examined.width, examined.height, examined.format]
        return _seal(sha256, _FAILURE + json.dumps(fields + size).encode())
    if examined.logit is None:
        return None
    family = "" if examined.family is None else f"/{examined.family[0]}/{examined.family[1]!r}"
    return _seal(sha256, f"{examined.logit!r}{family} {examined.width} {examined.height} {examined.format}".encode())


def unpack_outcome(
    sha256: bytes, sealed: bytes, limits: str, *, failures: bool
) -> tuple[Outcome, Family | None] | None:
    """The outcome and the family; None for damaged bytes, and for a failure not asked for or of other limits."""
    data = sealed[_CHECKSUM_BYTES:]
    if zlib.crc32(sha256 + data) != int.from_bytes(sealed[:_CHECKSUM_BYTES], "big"):
        return None
    try:
        if data[:1] != _FAILURE:
            scores, width, height, name = data.split(b" ", 3)
            logit, *family = scores.split(b"/")
            outcome = (None, float(logit), int(width), int(height), name.decode())
            return outcome, (int(family[0]), float(family[1])) if family else None
        kept_limits, stage, reason, detail, *size = json.loads(data[1:])
        if not failures or kept_limits != limits:
            return None
        return (Failure(Stage(stage), Reason(reason), detail), None, *size), None
    except (ValueError, TypeError, IndexError):  # written by a version that knew other reasons or formats
        return None


def pack_evidence(sha256: bytes, evidence: tuple[Evidence, ...]) -> bytes:
    """The bytes of what a file declares; none for nothing."""
    return _seal(sha256, json.dumps([one.as_json() for one in evidence]).encode()) if evidence else b""


def unpack_evidence(sha256: bytes, sealed: bytes) -> tuple[Evidence, ...] | None:
    """The evidence, or None where the bytes are damaged."""
    if not sealed:
        return ()
    data = sealed[_CHECKSUM_BYTES:]
    if zlib.crc32(sha256 + data) != int.from_bytes(sealed[:_CHECKSUM_BYTES], "big"):
        return None
    try:
        return tuple(
            Evidence(
                source=one["source"],
                claim=Declared(one["claim"]) if one["claim"] else None,
                generator=one["generator"],
                detail=one["detail"],
                trust=Trust(one["trust"]),
            )
            for one in json.loads(data)
        )
    except (ValueError, TypeError, KeyError):
        return None


def _seal(sha256: bytes, data: bytes) -> bytes:
    return zlib.crc32(sha256 + data).to_bytes(_CHECKSUM_BYTES, "big") + data
