"""File names and other foreign text as a person may safely see it: nothing hidden, nothing that drives a terminal."""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls, DEL, surrogates of undecodable bytes, and what changes a text without being seen:
# bidirectional marks, zero-width characters, line and paragraph separators, tags.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
ELLIPSIS = "…"


def visible(text: str) -> str:
    """The text with every control, bidirectional or invisible character written as an escape.

    An undecodable byte of a file name (a surrogate, PEP 383) is shown as that byte: `\\xff`.
    """
    return HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def width(text: str) -> int:
    """Columns that visible text takes on a terminal: two for wide East Asian characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def shorten(path: str, columns: int) -> str:
    """A visible path in at most `columns` columns: the middle gives way, the file's name stays longest."""
    if width(path) <= columns:
        return path
    if columns <= 1:
        return ELLIPSIS[:columns]
    room = columns - 1
    name = path.rfind("/") + 1
    tail = min(room, max(width(path) - width(path[:name]) + 1, room * 2 // 3))
    if tail >= room - 3:  # a few characters of the first folder tell nothing: keep both ends of the name instead
        tail = room - room // 3
    return _take(path, room - tail) + ELLIPSIS + _take(path[::-1], tail)[::-1]


def _take(text: str, columns: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:index]
    return text
