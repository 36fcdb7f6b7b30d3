"""The manifest of a scan in shards: what the walk met, cut into lists of a bounded length, and what rows depend on.

Not to be mixed up with scanner.manifest, the list of files that were copied or moved.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from scanner import __version__
from scanner.errors import InputError, UsageError
from scanner.options import ScanOptions
from scanner.records import Failure, ImageFile, Reason, Stage, public_path
from scanner.remote.urls import is_remote, is_url
from scanner.report.document import clean, dump
from scanner.report.read_back import os_path
from scanner.shards.conditions import differences
from scanner.shards.options import DEFAULT_SHARD_SIZE, MOST_SHARD_ROWS, PartFormat, ShardOptions
from scanner.shards.place import Place
from scanner.walk import walk

FORM = 1
"""Version of the manifest's form."""
HEADER = "_manifest/manifest.json"
"""Names that begin with `_` are no data for Spark, pandas and pyarrow."""

_SELECTING = (
    "paths", "files_from", "null_separated", "recursive", "max_depth", "include", "exclude", "hidden", "ignore_files",
    "follow", "limit",
)  # fmt: skip
"""The options that say which files are met."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in its place; its shards are numbered from 1."""

    place: Place
    header: dict[str, Any]

    @property
    def id(self) -> str:
        """Told from files, order, cut and conditions: parts of another manifest have another in their names."""
        return str(self.header["id"])

    @property
    def rows(self) -> int:
        """Files met."""
        return int(self.header["rows"])

    @property
    def shards(self) -> int:
        """How many lists it is cut into."""
        return int(self.header["shards"])

    @property
    def parts(self) -> PartFormat:
        """The form of the parts."""
        return PartFormat(self.header["parts"])

    @property
    def follow(self) -> bool:
        """Whether symbolic links are followed."""
        return bool(self.header["selection"]["follow"])

    def rows_of(self, number: int) -> int:
        """How many files a shard has."""
        size = int(self.header["shard_rows"])
        return min(size, self.rows - size * (number - 1))

    def files(self, number: int) -> list[ImageFile]:
        """The files of a shard, in order; raises InputError where its list cannot be read."""
        name = _list_name(self.id, number)
        data = self.place.read(name)
        if data is None:
            raise InputError(f"{self.place.shown}: {name} is gone")
        try:
            files = [_file(json.loads(line)) for line in gzip.decompress(data).splitlines()]
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self.place.shown}: {name} is broken: {error}") from error
        if len(files) != self.rows_of(number):
            raise InputError(f"{self.place.shown}: {name} has {len(files)} files, not {self.rows_of(number)}")
        return files

    def share(self, shard: tuple[int, int] | None) -> range:
        """The shards of job i of n; all of them for None."""
        first, step = shard or (1, 1)
        return range(first, self.shards + 1, step)


def read_manifest(place: Place) -> Manifest | None:
    """The manifest in a folder, None where there is none; raises InputError where it is of another form."""
    data = place.read(HEADER)
    if data is None:
        return None
    try:
        header = json.loads(data)
        if header["form"] != FORM:
            raise InputError(f"{place.shown}: its manifest has form {header['form']!r}, this dfscan reads {FORM}")
        manifest = Manifest(place, header)
        _ = (manifest.id, manifest.rows, manifest.shards, manifest.parts, manifest.follow, header["conditions"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{place.shown}: {HEADER} is no manifest of dfscan") from error
    return manifest


def check_same(manifest: Manifest, options: ScanOptions, sharding: ShardOptions, conditions: dict[str, Any]) -> None:
    """Raise UsageError where a run must not go on with this manifest, since its rows would be of another kind.

    Without any PATH the manifest's own files are meant.
    """
    other = differences(manifest.header["conditions"], conditions)
    if options.paths or options.files_from is not None:
        other += differences(manifest.header["selection"], _selection(options))
    if sharding.parts is not None and sharding.parts is not manifest.parts:
        other.append(f"parts {manifest.parts.value}, now {sharding.parts.value}")
    if other:
        why = "; ".join(other)
        raise UsageError(
            f"{manifest.place.shown} was begun otherwise ({why}): go on as it was begun, or take another folder"
        )
    if manifest.header["folder"] not in (None, os.getcwd()):  # noqa: PTH109
        raise UsageError(f"{manifest.place.shown} holds relative paths: go on from {manifest.header['folder']}")


def make_manifest(
    place: Place,
    options: ScanOptions,
    sharding: ShardOptions,
    conditions: dict[str, Any],
    *,
    shards_at_least: int,
    missing: Callable[[str, OSError], None],
) -> Manifest:
    """Walk, and write what was met; of several runs that do so at once, one's manifest becomes everybody's.

    Memory does not grow with the files: they go to a temporary file first, since the cut depends on their number.
    Raises what the walk raises, and ReportError where the place refuses.
    """
    absent: list[str] = []

    def miss(path: str, error: OSError) -> None:
        absent.append(path)
        missing(path, error)

    with tempfile.TemporaryFile() as listed:
        digest, rows, secret = _list(walk(options, missing=miss), listed)
        size = sharding.shard_size or max(1, min(DEFAULT_SHARD_SIZE, -(-rows // shards_at_least)))
        header = {
            "form": FORM,
            "dfscan": __version__,
            "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "selection": _selection(options),
            "folder": os.getcwd() if _relative(options) else None,  # noqa: PTH109
            "conditions": conditions,
            "parts": (sharding.parts or PartFormat.PARQUET).value,
            "rows": rows,
            "shard_rows": min(size, MOST_SHARD_ROWS),
            "shards": -(-rows // size),
            "missing": clean(absent),
        }
        identity = {**header, "made": None, "dfscan": None, "digest": digest}
        header["id"] = hashlib.sha256(dump(identity).encode()).hexdigest()[:12]
        listed.seek(0)
        for number in range(1, header["shards"] + 1):
            lines = b"".join(itertools.islice(listed, size))
            place.put(_list_name(header["id"], number), gzip.compress(lines, 6, mtime=0), private=secret)
    place.put_new(HEADER, f"{json.dumps(header, indent=1)}\n".encode())
    manifest = read_manifest(place)
    if manifest is None:
        raise InputError(f"{place.shown}: {HEADER} was written and is not there")
    check_same(manifest, options, sharding, conditions)
    return manifest


def met_again(file: ImageFile, *, follow: bool) -> ImageFile:
    """A listed local file as it stands now: device and inode are another machine's, and size and time may be old.

    What is no regular file any more, or a link where links are not followed, has changed; what is not there vanishes
    when it is opened.
    """
    import stat

    if file.failure is not None or is_remote(file.path):
        return file
    from scanner.remote.urls import local_path

    try:
        info = os.stat(local_path(file.path), follow_symlinks=follow)  # noqa: PTH116 - the path as given
    except (OSError, ValueError):
        return file
    if not stat.S_ISREG(info.st_mode):
        return ImageFile(file.path, failure=Failure(Stage.WALK, Reason.CHANGED, "no regular file any more"))
    return ImageFile(file.path, info.st_size, info.st_mtime_ns, info.st_dev, info.st_ino)


def _list(files: Iterable[ImageFile], sink: IO[bytes]) -> tuple[str, int, bool]:
    """Write one line a file; returns their digest, their number, and whether secrets are among them."""
    digest, rows, secret = hashlib.sha256(), 0, False
    for file in files:
        line = f"{json.dumps(_line(file), separators=(',', ':'))}\n".encode()
        digest.update(line)
        sink.write(line)
        rows += 1
        secret = secret or file.location is not None
    return digest.hexdigest(), rows, secret


def _line(file: ImageFile) -> dict[str, Any]:
    """A file as JSON types, without what is null."""
    path, path_bytes = public_path(file.path)
    values = {
        "path": path,
        "path_bytes": path_bytes,
        "location": file.location,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "inode": file.inode if is_remote(file.path) else None,
        "failure": file.failure.as_json() if file.failure else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _file(values: dict[str, Any]) -> ImageFile:
    failure = values.get("failure")
    return ImageFile(
        os_path(values["path"], values.get("path_bytes")),
        size=values.get("size"),
        mtime_ns=values.get("mtime_ns"),
        inode=values.get("inode"),
        location=values.get("location"),
        failure=Failure(Stage(failure["stage"]), Reason(failure["reason"]), failure["detail"]) if failure else None,
    )


def _list_name(id: str, number: int) -> str:
    return f"_manifest/{id}/{number:07}.jsonl.gz"


def _selection(options: ScanOptions) -> dict[str, Any]:
    from scanner.remote.urls import redact

    values = {name: getattr(options, name) for name in _SELECTING}
    values["paths"] = [redact(path) if is_url(path) else path for path in options.paths]
    selection: dict[str, Any] = clean(values)
    return selection


def _relative(options: ScanOptions) -> bool:
    """Whether paths hang on the working folder; those of a list may."""
    if options.files_from is not None:
        return True
    return any(not is_url(path) and not os.path.isabs(path) for path in options.paths)  # noqa: PTH117
