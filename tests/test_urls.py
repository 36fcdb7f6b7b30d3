"""URLs: what is one, what it names exactly, and that no secret of one is shown."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.arguments import overlap, path_key
from scanner.errors import UsageError
from scanner.options import ScanOptions
from scanner.remote.urls import (
    Scheme,
    file_url,
    is_remote,
    is_url,
    local_path,
    redact,
    redact_text,
    scheme_of,
    split_store,
)  # fmt: skip
from scanner.walk import walk
from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture


@pytest.mark.parametrize("path", ["s3://b/k", "gs://b", "https://h/a.jpg", "FILE:///a", "x+y.z-1://q"])
def test_urls(path: str) -> None:
    assert is_url(path)
    assert is_remote(path) == (not path.startswith("FILE"))


@pytest.mark.parametrize(
    "path", ["a.jpg", "./s3://b/k", "c:/a", "c:\\a", "C://a", "://", "1a://b", "é://x", "a b://c", "mailto:x", ""]
)
def test_what_is_a_path_and_no_url(path: str) -> None:
    assert not is_url(path) and not is_remote(path)
    assert local_path(path) == path


@given(st.text())
def test_a_key_is_exact(key: str) -> None:
    assert split_store(f"s3://bucket/{key}") == ("bucket", key)


@given(st.binary(min_size=1).filter(lambda name: 0 not in name))
def test_a_file_url_and_its_path_are_two_spellings(name: bytes) -> None:
    path = os.fsdecode(b"/" + name)
    assert local_path(file_url(path)) == path
    assert file_url(path).isascii() and file_url(path).isprintable()


@pytest.mark.parametrize("url", ["file://server/share/a.png", "file://C:/a"])
def test_a_file_of_another_machine_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="another machine"):
        local_path(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]:8/a", "https://h/a"])
def test_http_is_of_this_machine(url: str) -> None:
    assert scheme_of(url) in (Scheme.HTTP, Scheme.HTTPS)


@pytest.mark.parametrize(
    "url",
    [
        "http://h/a",
        "http://127.0.0.1.example/",
        "http://localhost@evil/",
        "ftp://h/a",
        "https://user@h/",
        "gs://k:s@b/x",
    ],
)
def test_urls_that_are_not_scanned(url: str) -> None:
    with pytest.raises(UsageError):
        scheme_of(url)


SECRETS = st.text(string.ascii_letters, min_size=12).map(lambda text: f"{text}0123456789")


@given(
    SECRETS,
    st.sampled_from(
        [
            "https://h/a?X-Amz-Signature={}&b=1", "https://h/a?b={}&X-Amz-Signature=1", "https://h/a?x%2Damz-date=1&b={}",
            "https://h/a?sig={}", "https://h/a?b=1&SIGNATURE={}", "https://h/a?b={}", "https://h/a?{}", "https://h/a#{}",
            "https://h/a?q=1#{}", "https://{}@h/a", "https://u:{}@h/a", "s3://{}:x@b/k", "HTTPS://h/a?api_key={}",
            "https://h/a?q=%68mac={}", "https://h/a?a=b&&{}&c",
        ]
    ),
)  # fmt: skip
def test_no_secret_is_shown(secret: str, url: str) -> None:
    shown = redact(url.format(secret))
    assert secret not in shown
    assert redact(shown) == shown
    assert secret not in redact_text(f"cannot read '{url.format(secret)}': timed out, see {url.format(secret)}")


@pytest.mark.parametrize(
    "url",
    [
        "https://h/a.jpg", "https://h/photo?id=123&width=640", "https://h/get?file=IMG_20240101_123456.jpg",
        "https://h/a?id=0b9f6c1e-9f54-4f0c-8f2a-2a1d4a1f9c11", "s3://b/k?versions#1", "gs://b/what?sig=x", "a/b?sig=x",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(url: str) -> None:
    assert redact(url) == url
    assert redact_text(f"read {url} in time") == f"read {url} in time"


def test_keys_of_urls() -> None:
    assert path_key("s3://b/a/../c//d") == "s3://b/a/../c//d", "nothing in a key is another spelling"
    assert path_key("file:///x/a%20b") == path_key("/x/a b")
    assert overlap({"s3://b/a", "s3://b/a/x"}) and overlap({"s3://b", "s3://b/a"})
    assert not overlap({"s3://b/a", "s3://b/ab", "gs://b/a"})


def test_a_file_url_is_walked_like_its_path(image_tree: Path, tmp_path: Path) -> None:
    (image_tree / "sub" / "50% ü.png").touch()
    os.close(os.open(os.fsencode(image_tree) + b"/\xff.png", os.O_CREAT))
    plain = list(walk(ScanOptions(paths=(str(image_tree),)), missing=lambda path, error: None))
    by_url = list(walk(ScanOptions(paths=(image_tree.as_uri(),)), missing=lambda path, error: None))
    assert [local_path(file.path) for file in by_url] == [file.path for file in plain]
    assert all(file.path.startswith("file:///") and file.path.isascii() for file in by_url)
    both = (image_tree.as_uri(), str(image_tree), f"{image_tree.as_uri()}/sub")
    assert len(list(walk(ScanOptions(paths=both), missing=lambda path, error: None))) == len(plain)


def test_a_file_url_is_scanned_cached_and_moved_like_its_path(run_cli: RunCli, tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a b.png", WHITE)
    picture(tmp_path / "p" / "c.png", BLACK)
    url = (tmp_path / "p").as_uri()
    done = run_cli(url, "--format", "jsonl", code=1)
    assert f"{url}/a%20b.png".encode() in done.stdout
    assert run_cli(str(tmp_path / "p"), "--format", "jsonl", code=1).stdout.count(b'"cached": true') == 2
    assert run_cli(url, "--list").stdout.decode().splitlines() == [f"{url}/a%20b.png", f"{url}/c.png"]
    run_cli(url, "--move-flagged", "out", code=1)
    assert not (tmp_path / "p" / "a b.png").exists() and (tmp_path / "p" / "c.png").exists()


@pytest.fixture
def without_extra(tmp_path: Path, cli_environment: dict[str, str]) -> dict[str, str | None]:
    """An environment in which fsspec cannot be imported, as in one without the extra [remote]."""
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "fsspec.py").write_text("raise ModuleNotFoundError(\"No module named 'fsspec'\")\n")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), cli_environment["PYTHONPATH"]])}


@pytest.mark.parametrize("url", ["s3://bucket/uploads", "gs://b/a.png", "az://c/a.png", "https://example.org/a.png"])
def test_without_the_extra_the_error_says_how_to_install_it(
    run_cli: RunCli, without_extra: dict[str, str | None], url: str
) -> None:
    for arguments, lines in (((url,), None), (("--files-from", "-"), f"{url}\n".encode())):
        done = run_cli(*arguments, code=2, env=without_extra, input=lines)
        assert b"pip install 'dfscan[remote]'" in done.stderr
        assert f"{url.partition(':')[0]}:// needs".encode() in done.stderr


def test_without_the_extra_files_are_scanned(
    run_cli: RunCli, without_extra: dict[str, str | None], clean_tree: Path
) -> None:
    assert run_cli(str(clean_tree), clean_tree.as_uri(), env=without_extra).returncode == 0
