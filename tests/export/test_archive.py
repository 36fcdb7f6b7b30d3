from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from export.archive import ArchiveLimits, extract
from scanner.errors import InputError


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as bundle:
        for name, data in members.items():
            bundle.writestr(name, data)
    return path


def test_unpacks_folders_of_any_depth(tmp_path: Path) -> None:
    found = extract(archive(tmp_path / "a.zip", {"x/y/z.txt": b"deep", "top.txt": b"top"}), tmp_path / "out")
    assert found == 2
    assert (tmp_path / "out/x/y/z.txt").read_bytes() == b"deep"
    assert (tmp_path / "out/top.txt").read_bytes() == b"top"


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "C:evil.txt", "C:/evil.txt", "..\\evil.txt", "a\\..\\evil"]
)
def test_a_member_that_would_leave_the_target_refuses_the_whole_archive(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    with pytest.raises(InputError, match="outside the target"):
        extract(path, tmp_path / "out" / "deep")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_refuse_the_archive(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link.png")
    info.create_system = 3
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match="link or a special file"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out" / "link.png").exists()


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"zeros.bmp": bytes(80 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="bomb"):
        extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_many_members_and_large_members_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.txt": b"12345", "b.txt": b"1"})
    with pytest.raises(InputError, match="2 members"):
        extract(path, tmp_path / "out", ArchiveLimits(members=1))
    with pytest.raises(InputError, match="5 bytes"):
        extract(path, tmp_path / "out", ArchiveLimits(member_bytes=4))
    with pytest.raises(InputError, match="6 bytes unpacked"):
        extract(path, tmp_path / "out", ArchiveLimits(total_bytes=5))


def test_an_archive_that_lies_about_a_size_does_not_fill_the_disk(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"big.bin": bytes(1000)}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = data.index(signature) + offset
        data[start : start + 4] = struct.pack("<I", 10)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError):
        extract(path, tmp_path / "out")
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 10


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.txt": b"secret"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="encrypted"):
        extract(path, tmp_path / "out")


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("a.txt", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            bundle.writestr("a.txt", b"second")
    with pytest.raises(InputError, match="twice"):
        extract(tmp_path / "a.zip", tmp_path / "out")


def test_archives_inside_become_folders_of_their_name(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as bundle:
        bundle.writestr("1.txt", b"one")
    found = extract(archive(tmp_path / "a.zip", {"set/real.zip": inner.getvalue()}), tmp_path / "out")
    assert found == 1
    assert (tmp_path / "out/set/real/1.txt").read_bytes() == b"one"
    assert not (tmp_path / "out/set/real.zip").exists()


def test_archives_inside_archives_inside_archives_are_refused(tmp_path: Path) -> None:
    data = b"core"
    for level in range(4):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as bundle:
            bundle.writestr("core.txt" if level == 0 else "inner.zip", data)
        data = buffer.getvalue()
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="archives inside archives"):
        extract(tmp_path / "a.zip", tmp_path / "out")


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip at all")
    with pytest.raises(InputError, match="not a zip"):
        extract(tmp_path / "a.zip", tmp_path / "out")
