"""A bucket is filtered as a folder of the same names is walked: the same files, the same records."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.filters import compile_globs
from scanner.options import ScanOptions
from scanner.records import ImageFile
from scanner.remote.listing import ObjectFilter
from scanner.remote.store import Listed
from scanner.walk import walk

NAMES = st.sampled_from(["a", "b", "a.jpg", "a-b", "b.png", ".h", ".h.jpg", "a0", "z"])
KEYS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12)
GLOBS = st.lists(st.sampled_from(["a", "a/", "*.jpg", "/b", "a/b", "**/z", "b/*", "a?", ".h"]), max_size=2).map(tuple)

Told = tuple[str, str | None]


def without_clashes(keys: list[str]) -> list[str]:
    """Keys that can be files: no key is a folder of another."""
    folders = {key[:end] for key in keys for end in range(len(key)) if key[end] == "/"}
    return sorted({key for key in keys if key not in folders}, key=str.encode)


def told(file: ImageFile, base: str) -> Told:
    return file.path.removeprefix(base), file.failure.reason.value if file.failure else None


def filtered(keys: list[str], options: ScanOptions, prefix: str = "up/") -> list[Told]:
    chosen = ObjectFilter(
        "s3://b/up/", prefix, compile_globs(options.include, options.exclude), hidden=options.hidden,
        max_depth=options.max_depth if options.recursive else 0,
    )  # fmt: skip
    return [told(file, "s3://b/up/") for file in chosen.files([Listed(prefix + key, 3) for key in keys])]


@settings(max_examples=200, deadline=None)
@given(KEYS, GLOBS, GLOBS, st.booleans(), st.sampled_from([None, 0, 1, 2]))
def test_the_same_records_as_a_walk(
    keys: list[str], include: tuple[str, ...], exclude: tuple[str, ...], hidden: bool, depth: int | None
) -> None:
    keys = without_clashes(keys)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "up")
        root.mkdir()
        for key in keys:
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_text("abc")
        options = ScanOptions(paths=(str(root),), include=include, exclude=exclude, hidden=hidden, max_depth=depth)
        expected = [told(file, f"{root}/") for file in walk(options, missing=lambda path, error: None)]
    found = [(path.rstrip("/"), reason) for path, reason in filtered(keys, options)]
    assert sorted(found, key=str) == sorted(expected, key=str)


@given(KEYS, GLOBS)
def test_no_key_is_lost_and_none_has_two_records(keys: list[str], exclude: tuple[str, ...]) -> None:
    keys = sorted(set(keys), key=str.encode)  # in a store a key may be a folder of another
    found = filtered(keys, ScanOptions(exclude=exclude))
    assert len(found) == len(set(found))
    named = {path for path, _ in found}
    left_out = tuple(path for path in named if path.endswith("/"))
    assert all(key in named or key.startswith(left_out) for key in keys)


def test_keys_that_no_folder_could_hold() -> None:
    keys = ["", "/", "//", "/a.jpg", "a//b.jpg", "a/../b.jpg", "a/./b.jpg", "a/", "a\n/b\x01.jpg"]
    options = ScanOptions(hidden=True, exclude=("*.png",))
    assert [path for path, _ in filtered(sorted(keys), options)] == sorted(keys)
    assert ("a/../", "hidden") in filtered(sorted(keys), ScanOptions())
