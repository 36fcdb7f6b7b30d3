"""Zip archives taken apart without trusting them: nothing outside the target, no links, no bombs."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from scanner.errors import InputError

_CHUNK = 1 << 20
NESTING = 2
"""Archives inside an archive are opened this deep; deeper ones are refused."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What one archive may hold."""

    members: int = 5_000_000
    member_bytes: int = 2 << 30
    total_bytes: int = 1 << 40
    ratio: int = 200
    """Bytes unpacked for each byte packed, over the whole archive; pictures hardly shrink at all."""
    free_ratio_bytes: int = 64 << 20
    """The ratio is of no account below this many unpacked bytes: a few flat pictures do shrink."""


def extract(archive: Path, into: Path, limits: ArchiveLimits | None = None, *, nesting: int = NESTING) -> int:
    """Unpack a zip below `into` and return the number of files; an archive inside becomes a folder of its name.

    The whole archive is refused with InputError, before anything is written, where a member would leave `into`,
    is a link or a device, is encrypted, or where the sizes are those of a bomb. Sizes are counted again while
    unpacking, since an archive can lie about them.
    """
    limits = limits or ArchiveLimits()
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = [info for info in bundle.infolist() if not info.is_dir()]
            _check(archive, bundle.infolist(), limits, shutil.disk_usage(_existing(into)).free)
            count = _unpack(archive, bundle, members, into, limits)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise InputError(f"{archive}: not a zip archive that can be read: {error}") from error
    return count + extract_nested(into, limits, nesting=nesting - 1)


def extract_nested(folder: Path, limits: ArchiveLimits | None = None, *, nesting: int = NESTING) -> int:
    """Unpack every zip below a folder of ours into a folder of its name, and remove it; returns the number of files."""
    count = 0
    for inner in sorted(path for path in folder.rglob("*") if is_archive(path)):
        if nesting <= 0:
            raise InputError(f"{inner.name}: archives inside archives inside archives are refused")
        target = inner.with_suffix("")
        while target.exists():
            target = target.with_name(target.name + "_")
        count += extract(inner, target, limits, nesting=nesting) - 1
        inner.unlink()
    return count


def is_archive(path: Path) -> bool:
    """Whether a file is a zip by name and by content."""
    return path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink() and zipfile.is_zipfile(path)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check(archive: Path, members: list[zipfile.ZipInfo], limits: ArchiveLimits, free: int) -> None:
    """Refuse an archive by its directory alone."""
    if len(members) > limits.members:
        raise InputError(f"{archive}: {len(members)} members are over the limit of {limits.members}")
    for info in members:
        _check_member(archive, info, limits)
    total = sum(info.file_size for info in members)
    packed = max(1, min(sum(info.compress_size for info in members), archive.stat().st_size))
    if total > limits.free_ratio_bytes and total / packed > limits.ratio:
        raise InputError(f"{archive}: refused as a bomb: {total} bytes out of {packed}")
    if total > min(limits.total_bytes, free):
        raise InputError(f"{archive}: {total} bytes unpacked are over what may be (or fits on the disk)")


def _check_member(archive: Path, info: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    name = info.filename
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if path.is_absolute() or ".." in path.parts or "\\" in name or drive or "\0" in name or not path.parts:
        raise InputError(f"{archive}: refused, {name!r} would be written outside the target")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"{archive}: refused, {name!r} is a link or a special file")
    if info.flag_bits & 0x1:
        raise InputError(f"{archive}: refused, {name!r} is encrypted")
    if info.file_size > limits.member_bytes:
        raise InputError(f"{archive}: refused, {name!r} has {info.file_size} bytes, over {limits.member_bytes}")


def _unpack(
    archive: Path, bundle: zipfile.ZipFile, members: list[zipfile.ZipInfo], into: Path, limits: ArchiveLimits
) -> int:
    written = 0
    root = into.resolve()
    seen: set[str] = set()
    for info in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
        target = into / info.filename
        if info.filename in seen or not target.resolve().is_relative_to(root):
            raise InputError(f"{archive}: refused, {info.filename!r} is there twice or lies outside the target")
        seen.add(info.filename)
        target.parent.mkdir(parents=True, exist_ok=True)
        member_bytes = 0
        with bundle.open(info) as source, open(target, "xb") as sink:
            while chunk := source.read(_CHUNK):
                member_bytes += len(chunk)
                if member_bytes > info.file_size:
                    raise InputError(f"{archive}: refused, {info.filename!r} is larger than it says")
                sink.write(chunk)
        written += 1
    return written
