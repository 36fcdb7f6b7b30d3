"""C2PA manifests (Content Credentials): reads and validates them offline, with the extra [c2pa]."""

from __future__ import annotations

import functools
import importlib.util
import json
from typing import Any, BinaryIO

from scanner.provenance.c2pa_claim import Origin, origin
from scanner.provenance.containers import Blocks
from scanner.provenance.interface import EvidenceSettings, clean, malformed
from scanner.provenance.trust import bundled
from scanner.records import Evidence, Trust

_MIME = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "heif": "image/heif",
}
_KEY_PURPOSES = (
    "1.3.6.1.4.1.62558.2.1",  # C2PA claim signing: certificates of the official trust list carry it
    "1.3.6.1.5.5.7.3.4",  # e-mail protection and document signing: certificates from before that list
    "1.3.6.1.5.5.7.3.36",
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft's own purpose of C2PA signing
    "1.3.6.1.5.5.7.3.8",  # time stamping and OCSP signing, for the validation's own parts
    "1.3.6.1.5.5.7.3.9",
)


def available() -> bool:
    """Whether the extra [c2pa] is installed."""
    return importlib.util.find_spec("c2pa") is not None


def read(blocks: Blocks, file: BinaryIO, settings: EvidenceSettings) -> list[Evidence]:
    """One evidence for the manifest store of a file that has one."""
    if not blocks.c2pa:
        return []
    if not available():
        detail = "Content Credentials (C2PA) are there, but not readable here: install dfscan[c2pa]"
        return [Evidence("c2pa", None, None, detail, Trust.UNREAD)]
    import c2pa

    file.seek(0)
    try:
        with c2pa.Reader(_MIME[blocks.format or ""], file, context=_context(settings.extra_anchors)) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError as error:
        return [_unreadable(str(error))]
    return [_evidence(store)]


@functools.lru_cache(maxsize=4)
def _context(extra_anchors: str | None) -> Any:
    """Settings of every read: both trust lists, and nothing ever fetched."""
    import c2pa

    trust = {"trust_anchors": bundled().anchors, "trust_config": "\n".join(_KEY_PURPOSES) + "\n"}
    if extra_anchors:
        trust["user_anchors"] = extra_anchors
    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True, "verify_timestamp_trust": True}
    return c2pa.Context.from_dict({"verify": verify, "trust": trust})


def _unreadable(message: str) -> Evidence:
    if message.startswith("Remote"):
        detail = f"Content Credentials are kept elsewhere and never fetched ({message})"
        return Evidence("c2pa", None, None, clean(detail), Trust.UNREAD)
    if "prerelease" in message:
        return Evidence("c2pa", None, None, "C2PA manifest from before version 1, not readable", Trust.UNREAD)
    return malformed("c2pa", f"C2PA manifest cannot be read: {message}")


def _evidence(store: dict[str, Any]) -> Evidence:
    found = origin(store)
    trust = _trust(store, found)
    return Evidence("c2pa", found.claim, found.generator and clean(found.generator, 100), _detail(found, trust), trust)


def _trust(store: dict[str, Any], found: Origin) -> Trust:
    """The weakest link of the manifests that the claim rests upon."""
    if found.broken:
        return Trust.INVALID
    return Trust.SIGNED if store.get("validation_state") == "Trusted" and not found.doubts else Trust.UNTRUSTED


def _detail(found: Origin, trust: Trust) -> str:
    state = {
        Trust.SIGNED: "valid, signer on the trust list",
        Trust.UNTRUSTED: "content unchanged, signer not trusted",
        Trust.INVALID: "invalid: the file was changed after signing, or the manifest is not its own",
    }[trust]
    parts = [f"c2pa manifest {state}", f"signer {found.signer or 'not named'}"]
    if found.source_types:
        parts.append("digitalSourceType " + ", ".join(found.source_types))
    if found.agent:
        parts.append(f"by {found.agent}")
    if found.signed_at:
        parts.append(f"signed {found.signed_at[:10]}")
    codes = found.broken or found.doubts
    if codes:
        parts.append("validation: " + ", ".join(codes[:6]))
    return clean("; ".join(parts))
