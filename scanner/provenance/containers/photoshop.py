"""Photoshop image resources: finds the IPTC-IIM record among them (Photoshop File Formats, Image Resource Blocks)."""

from __future__ import annotations

_IPTC = 0x0404


def iim_of(resources: bytes) -> bytes | None:
    """The IPTC-IIM datasets in a run of image resource blocks; None where there are none or the run is broken."""
    offset = 0
    while resources[offset : offset + 4] == b"8BIM":
        identifier = int.from_bytes(resources[offset + 4 : offset + 6], "big")
        name = resources[offset + 6 : offset + 7]
        if not name:
            return None
        at = offset + 6 + (name[0] + 2) // 2 * 2  # Pascal string, padded to even
        length = int.from_bytes(resources[at : at + 4], "big")
        data = resources[at + 4 : at + 4 + length]
        if identifier == _IPTC:
            return data
        offset = at + 4 + (length + 1) // 2 * 2
    return None
