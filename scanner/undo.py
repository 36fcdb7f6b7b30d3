"""Puts back what `--move-flagged` moved and takes away what `--copy-flagged` copied, as far as both are untouched."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from scanner.actions import Outcome, State
from scanner.errors import InputError
from scanner.lock import hold
from scanner.manifest import Action, Entry, read_manifest
from scanner.placing import content_sha256, move_file, remove_abandoned


def undo(manifest: Path, *, dry_run: bool = False) -> Iterator[Outcome]:
    """Undo every entry of a manifest; what was undone before, or never happened, is ALREADY.

    Outcomes tell from where (the copied or moved file) to where (the original's place). A file that changed since, or
    whose place is taken, is LEFT. Raises InputError where the manifest cannot be read or its folder not be written,
    LockError where a run uses the folder.
    """
    folder = manifest.parent
    entries = read_manifest(manifest)
    first = next(entries, None)  # before the folder is touched: it may be no manifest at all
    if first is None:
        return
    with contextlib.ExitStack() as stack:
        if not dry_run:
            try:
                stack.enter_context(hold(folder))
            except OSError as error:
                raise InputError(f"cannot write into {folder}: {error.strerror or error}") from error
            remove_abandoned(folder)
        for entry in itertools.chain([first], entries):
            target = _target(folder, entry)
            try:
                state, detail = _undo(entry, target, folder, dry_run=dry_run)
            except OSError as error:
                state, detail = State.LEFT, error.strerror or str(error)
            yield Outcome(state, str(target), entry.source, detail)


def _target(folder: Path, entry: Entry) -> Path:
    """Where the file went; raises InputError for a place outside the manifest's folder, which no run of ours wrote."""
    below = Path(entry.target)
    if below.is_absolute() or ".." in below.parts:
        raise InputError(f"the manifest names a file outside its folder: {entry.target}")
    return folder / below


def _undo(entry: Entry, target: Path, folder: Path, *, dry_run: bool) -> tuple[State, str]:
    there, back = os.path.lexists(target), os.path.lexists(entry.source)
    if not there:
        return (State.ALREADY, "") if back else (State.LEFT, "neither it nor the original is there")
    content = content_sha256(str(target))
    interrupted = content is not None and target.stat().st_size == 0 and entry.size > 0  # a name taken, then a kill
    if content != entry.sha256 and not interrupted:
        return State.LEFT, "it has changed since"
    if back:
        if content_sha256(entry.source) != entry.sha256:
            return State.LEFT, "another file is at the original's place"
        if not dry_run:  # a copy, or a move that was killed before the original went
            target.unlink()
    elif entry.action is Action.COPY or interrupted:
        return State.LEFT, "the original is not there"
    elif not dry_run:
        original = Path(entry.source)
        original.parent.mkdir(parents=True, exist_ok=True)
        move_file(str(target), original, entry.sha256, original.parent)
    if dry_run:
        return State.WOULD, ""
    _remove_empty(target.parent, folder)
    return State.DONE, ""


def _remove_empty(directory: Path, folder: Path) -> None:
    """Remove the folders that held the file, as far as they are empty."""
    with contextlib.suppress(OSError):
        while directory != folder:
            directory.rmdir()
            directory = directory.parent
