"""What a path says of its picture: label and split by the names of its folders."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from scanner.errors import InputError


class Class(enum.StrEnum):
    """The two classes, as the manifest writes them."""

    REAL = "real"
    GENERATED = "ai-generated"


class Split(enum.StrEnum):
    """What a picture is for."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


_REAL = "real reals 0-real 0 nature natural authentic genuine original originals human humans photo-real real-images"
_GENERATED = (
    "fake fakes 1-fake 1 ai ai-generated aigenerated generated synthetic artificial sd gan deepfake deepfakes "
    "fake-images ai-images"
)
LABEL_WORDS = dict.fromkeys(_REAL.split(), Class.REAL) | dict.fromkeys(_GENERATED.split(), Class.GENERATED)
"""Folder names (lower case, `_` and blanks as `-`) that tell the class."""

SPLIT_WORDS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "dev": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}


def _word(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def label_word(name: str) -> Class | None:
    """The class that a folder name or a manifest's label stands for; None where it stands for none."""
    return LABEL_WORDS.get(_word(name))


def split_word(name: str) -> Split | None:
    """The split that a folder name or a manifest's split stands for; None where it stands for none."""
    return SPLIT_WORDS.get(_word(name))


def label_of(folders: Sequence[str]) -> Class | None:
    """The class by the folders that lead to a picture; raises InputError where they contradict each other."""
    found = {label: name for name in folders if (label := label_word(name))}
    if len(found) > 1:
        raise InputError(
            f"the folders {'/'.join(folders)} name both classes; say which is which with --real and --fake"
        )
    return next(iter(found), None)


def split_of(folders: Sequence[str]) -> Split | None:
    """The split by the folders that lead to a picture; the innermost counts."""
    return next((split for name in reversed(folders) if (split := split_word(name))), None)


def folders_seen(paths: Iterable[Sequence[str]], at_most: int = 12) -> str:
    """The folder names that were met, for a message: the first few, and how many more."""
    names = sorted({name for folders in paths for name in folders})
    shown = ", ".join(repr(name) for name in names[:at_most]) or "none"
    return shown + (f" and {len(names) - at_most} more" if len(names) > at_most else "")
