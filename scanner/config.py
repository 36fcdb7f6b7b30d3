"""Settings from the environment and from a file: flag > DFSCAN_* > --config FILE.toml > default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scanner.errors import UsageError

PREFIX = "DFSCAN_"

EXCLUSIVE = (("threshold", "max_fpr"), ("recursive", "max_depth"), ("quiet", "verbose"), ("format", "print0"),
    ("cache", "no_cache"), ("new_only", "no_cache"), ("rehash", "no_cache"))  # fmt: skip
"""Pairs of which only one can be meant: the one set closer to the command line puts the other aside."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that can be set without its flag."""

    name: str
    """The parameter's name: `max_fpr`."""
    flags: tuple[str, ...]
    """Long flags without dashes: `max-fpr`."""
    negations: tuple[str, ...] = ()
    """Flags that say the opposite: `no-recursive`."""
    is_switch: bool = False
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A value that was found, and where, for messages."""

    value: Any
    source: str
    """`DFSCAN_MAX_FPR`, or `dfscan.toml: max-fpr`."""


def variable(flag: str) -> str:
    """The environment variable of a flag: DFSCAN_MAX_FPR for `max-fpr`."""
    return PREFIX + flag.upper().replace("-", "_")


def from_environment(
    settings: Iterable[Setting], known: Iterable[str], environment: Mapping[str, str]
) -> dict[str, Found]:
    """The settings that DFSCAN_* variables make; an empty one is as good as none.

    `known` are the flags of all commands: a variable of none of them raises UsageError.
    """
    names = {variable(flag): flag for flag in known}
    for name in environment:
        if name.startswith(PREFIX) and name not in names:
            raise UsageError(f"{name}: there is no such setting{_nearest(name, names)}")
    found: dict[str, Found] = {}
    for setting in settings:
        for flag in (*setting.flags, *setting.negations):
            text = environment.get(variable(flag))
            if text:
                value: Any = text.split() if setting.is_list else text
                found[setting.name] = _found(setting, flag, value, variable(flag))
    return found


def from_file(settings: Iterable[Setting], known: Iterable[str], path: str) -> dict[str, Found]:
    """The settings of a TOML file whose keys are flags without dashes in front (`max-fpr = 0.05`).

    Raises UsageError where the file cannot be read, for a key that is no flag of any command, and for a value that
    is a table.
    """
    values = _read(path)
    names = {flag: flag for flag in known}
    for key in values:
        if key.replace("_", "-") not in names:
            raise UsageError(f"{path}: there is no setting {key!r}{_nearest(key, names)}")
    found: dict[str, Found] = {}
    for setting in settings:
        for flag in (*setting.flags, *setting.negations):
            for key in (flag, flag.replace("-", "_")):
                if key in values:
                    found[setting.name] = _found(setting, flag, values[key], f"{path}: {key}")
    return found


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read the settings in {path}: {error.strerror or error}") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise UsageError(f"{path} is no valid TOML: {error}") from error


def _found(setting: Setting, flag: str, value: Any, source: str) -> Found:
    if isinstance(value, dict) or (isinstance(value, list) and not setting.is_list):
        raise UsageError(f"{source}: one plain value is wanted")
    if isinstance(value, bool) and not setting.is_switch:
        raise UsageError(f"{source}: true and false are for switches")
    if setting.is_list and not isinstance(value, list):
        value = [value]
    if setting.is_switch:
        value = _switch(value, source) != (flag in setting.negations)
    return Found(value, source)


def _switch(value: Any, source: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise UsageError(f"{source}: {value!r} is neither true nor false")


def _nearest(name: str, names: Iterable[str]) -> str:
    spelt = name if name.isupper() else name.replace("_", "-")
    close = difflib.get_close_matches(spelt, list(names), n=1, cutoff=0.75)
    return f" (did you mean {close[0]}?)" if close else ""
