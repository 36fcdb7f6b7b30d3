"""Patterns as .gitignore files have them, matched in time that no pattern and no name can blow up.

Every part of a pattern between two wildcards is taken where it first fits and never tried elsewhere (atomic groups):
that finds a match wherever there is one, since such a part has a fixed length, and leaves nothing to backtrack into.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LONGEST = 1024
"""Characters of a line; compiling a longer one could take seconds."""

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_NAME = "[^/]"
_BELOW = f"(?:{_NAME}*/)*"


class PatternError(ValueError):
    """A line that is no pattern; the message says why."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    matches: re.Pattern[str]
    ignores: bool
    """False for a line with `!`."""
    folders_only: bool
    whole_path: bool
    """Whether it is matched with the path from the file's folder on, not with the name alone."""


class Patterns:
    """The patterns of one file, or of a flag; raises PatternError where a line is none."""

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = [pattern for line in lines if (pattern := _parse(line)) is not None]
        self._last_first = patterns[::-1]

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Whether the last pattern that matches an entry ignores it; None where none does.

        `path` is relative, with `/` between its parts. A folder's verdict does not extend to what lies in it.
        """
        name = path[path.rfind("/") + 1 :]
        for pattern in self._last_first:
            if pattern.folders_only and not folder:
                continue
            if pattern.matches.fullmatch(path if pattern.whole_path else name):
                return pattern.ignores
        return None


def _parse(line: str) -> _Pattern | None:
    body = _without_trailing_spaces(line)
    if not body or body.startswith("#"):
        return None
    if len(body) > _LONGEST:
        raise PatternError(f"it is longer than {_LONGEST} characters")
    ignores = not body.startswith("!")
    body = body.removeprefix("!")
    folders_only = body.endswith("/")
    body = body.removesuffix("/")
    whole_path = "/" in body
    body = body.removeprefix("/")
    if not body:
        raise PatternError("it names nothing")
    parts = body.split("/")
    regex = _path(parts) if whole_path else _part(parts[0])
    return _Pattern(re.compile(regex, re.DOTALL), ignores, folders_only, whole_path)


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    return bare + " " if escaped and len(bare) < len(line) else bare


def _path(parts: list[str]) -> str:
    """The expression of a path's parts; `**` stands for any number of folders, at the end for all that is below."""
    groups: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            groups.append([])
        else:
            groups[-1].append(_part(part))
    first, *others = ["/".join(group) for group in groups]
    if not others:
        return first
    middle = "".join(f"(?>{_BELOW}?{group}/)" for group in others[:-1] if group)
    last = f"{_BELOW}{others[-1]}" if others[-1] else ".+"
    return (f"{first}/" if first else "") + middle + last


def _part(part: str) -> str:
    """The expression of one part of a path, which never matches a `/`."""
    chunks = [""]
    for token in _tokens(part):
        if token == "*":
            chunks.append("")
        else:
            chunks[-1] += token
    first, *others = chunks
    if not others:
        return first
    middle = "".join(f"(?>{_NAME}*?{chunk})" for chunk in others[:-1] if chunk)
    return f"{first}{middle}{_NAME}*{others[-1]}"


def _tokens(part: str) -> Iterator[str]:
    """`*`, and an expression for every other character or bracket."""
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            yield "*"
        elif character == "?":
            yield _NAME
        elif character == "[":
            expression, at = _bracket(part, at)
            yield expression
        elif character == "\\":
            if at == len(part):
                raise PatternError("it ends in a backslash")
            yield re.escape(part[at])
            at += 1
        else:
            yield re.escape(character)


def _bracket(part: str, at: int) -> tuple[str, int]:
    """The expression of a bracket whose content begins at an index, and the index behind it."""
    negated = part[at : at + 1] in ("!", "^")
    start = at = at + negated
    members = ""
    while at < len(part) and (part[at] != "]" or at == start):
        if part.startswith("[:", at) and (end := part.find(":]", at + 2)) > 0:
            if part[at + 2 : end] not in _CLASSES:
                raise PatternError(f"it has no class [:{part[at + 2 : end]}:]")
            members += _CLASSES[part[at + 2 : end]]
            at = end + 2
            continue
        low, at = _member(part, at)
        high = low
        if part.startswith("-", at) and part[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(part, at + 1)
        if low <= high:
            members += f"{re.escape(low)}-{re.escape(high)}"
    if at >= len(part):
        raise PatternError("it has a [ without its ]")
    if negated:
        return f"[^/{members}]", at + 1
    return (f"(?!/)[{members}]" if members else "(?!)"), at + 1


def _member(part: str, at: int) -> tuple[str, int]:
    if part[at] == "\\" and at + 1 < len(part):
        at += 1
    return part[at], at + 1
