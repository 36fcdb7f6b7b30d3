"""Lists of https URLs: one record a URL, secrets in none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UsageError
from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture
from tests.remote.reading import PNG, fetched, said, walked
from tests.remote.servers import Fault, Objects


def records(output: bytes) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in output.splitlines()]
    assert len({record["path"] for record in found}) == len(found)
    return {record["path"]: record for record in found}


def local(server: Objects) -> str:
    return f"https://localhost:{server.server_port}"


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, bytes]:
    return {
        "/white.png": picture(tmp_path / "white.png", WHITE).read_bytes(),
        "/black.jpg": picture(tmp_path / "black.jpg", BLACK).read_bytes(),
        "/empty.png": b"",
        "/page.html": b"<html>no picture</html>",
    }


def test_a_list_of_https_urls_is_scanned(secure_web: Objects, run_cli: RunCli, pictures: dict[str, bytes]) -> None:
    secure_web.objects = pictures
    names = [*pictures, "/gone.png"]
    lines = "".join(f"{local(secure_web)}{name}\n" for name in names).encode()
    done = run_cli("--files-from", "-", "--format", "jsonl", input=lines, code=2)
    found = records(done.stdout)
    assert [path.removeprefix(local(secure_web)) for path in found] == names
    by_name = {path.rsplit("/", 1)[1]: record for path, record in found.items()}
    assert by_name["white.png"]["flagged"] and by_name["white.png"]["bytes"] == len(pictures["/white.png"])
    assert by_name["white.png"]["modified"] == "2026-02-03T04:05:06Z"
    assert by_name["black.jpg"]["label"] == "real"
    assert by_name["page.html"]["status"] == "skipped" and by_name["page.html"]["error"]["reason"] == "not-a-picture"
    assert by_name["gone.png"]["error"]["reason"] == "vanished"
    assert by_name["empty.png"]["error"]["reason"] == "empty"


def test_urls_are_arguments_and_mix_with_files_in_a_list(
    secure_web: Objects, run_cli: RunCli, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    secure_web.objects = pictures
    base = local(secure_web)
    (tmp_path / "list").write_text(f"black.jpg\n{base}/black.jpg\nfile://{tmp_path}/white.png\n{base}/white.png\n")
    done = run_cli(f"{base}/white.png", "--files-from", "list", "--format", "jsonl", code=1)
    assert list(records(done.stdout)) == [
        f"{base}/white.png", "black.jpg", f"{base}/black.jpg", f"file://{tmp_path}/white.png",
    ]  # fmt: skip


def test_a_server_whose_certificate_nobody_trusts_is_not_read(
    secure_web: Objects, run_cli: RunCli, pictures: dict[str, bytes]
) -> None:
    secure_web.objects = pictures
    done = run_cli(f"{local(secure_web)}/white.png", "--format", "jsonl", code=2, env={"SSL_CERT_FILE": None})
    (record,) = records(done.stdout).values()
    assert record["error"]["stage"] == "fetch" and "no trusted connection" in record["error"]["detail"]


SECRET = "f3a9c1d27b8e4455aa10"
QUERIES = [
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA{SECRET}&X-Amz-Signature={SECRET}",
    f"sv=2024-11-04&se=2026-12-01&sr=b&sp=r&sig={SECRET}%3D",
    f"GoogleAccessId=x%40y.iam&Expires=1&Signature={SECRET}",
    f"token={SECRET}", f"width=3&access_key={SECRET}", f"h={SECRET}{SECRET}", f"hdnea=exp=1~hmac={SECRET}",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", ["white.png", "gone.png", "stalled.png"])
def test_no_secret_of_a_url_is_written_anywhere(
    run_cli: RunCli, web: Objects, pictures: dict[str, bytes], tmp_path: Path, query: str, name: str,
    cli_environment: dict[str, str],
) -> None:  # fmt: skip
    target = f"/{name}?{query}"
    if name != "gone.png":
        web.objects[target] = pictures["/white.png"]
    if name == "stalled.png":
        web.faults[target] = [Fault(status=400)] * 9
    out = [word for ending in ("jsonl", "json", "csv", "html") for word in ("-o", f"out/report.{ending}")]
    (tmp_path / "out").mkdir()
    done = run_cli(
        f"{web.url}{target}", "--log-file", "out/log", "-v", "--format", "jsonl", *out, "--summary", "out/summary",
        code=1 if name == "white.png" else 2,
    )  # fmt: skip
    assert (("GET", target, None)) in web.requests, "the URL is asked for as it is"
    cache = Path(cli_environment["DFSCAN_CACHE"])
    written = [
        done.stdout,
        done.stderr,
        *(path.read_bytes() for path in [*(tmp_path / "out").iterdir(), *cache.iterdir()]),
    ]
    assert len(written) > 8
    for text in written:
        assert SECRET.encode() not in text
    assert f"/{name}?".encode() in (tmp_path / "out" / "report.jsonl").read_bytes()


def test_two_urls_that_differ_in_their_secrets_are_two_records(web: Objects) -> None:
    web.objects = {"/get?token=aaaa": PNG + b"1", "/get?token=bbbb": PNG + b"2"}
    files, _ = walked(f"{web.url}/get?token=aaaa", f"{web.url}/get?token=bbbb")
    assert [file.path for file in files] == [f"{web.url}/get?token=REDACTED"] * 2
    assert "aaaa" not in repr(files)


def test_what_is_known_is_asked_for_by_its_head_alone(
    run_cli: RunCli, web: Objects, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    web.objects = pictures
    (tmp_path / "list").write_text(f"{web.url}/white.png\n{web.url}/black.jpg\n")
    first = records(run_cli("--files-from", "list", "--format", "jsonl", code=1).stdout)
    web.requests.clear()
    second = records(run_cli("--files-from", "list", "--format", "jsonl", code=1).stdout)
    assert {method for method, _, _ in web.requests} == {"HEAD"}
    assert all(record["cached"] for record in second.values())
    assert [r["logit"] for r in first.values()] == [r["logit"] for r in second.values()]
    web.objects["/white.png"] = pictures["/black.jpg"]
    third = records(run_cli("--files-from", "list", "--format", "jsonl").stdout)
    assert [record["cached"] for record in third.values()] == [False, True]


@pytest.mark.parametrize("status", [403, 405, 500, 501])
def test_a_server_without_head_is_read_all_the_same(web: Objects, status: int, soon: None) -> None:
    class NoHead(web.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def do_HEAD(self) -> None:
            self.answer(status, b"", {})

    web.RequestHandlerClass = NoHead
    web.objects = {"/a.png": PNG}
    assert said(fetched(f"{web.url}/a.png", use_cache=True)[f"{web.url}/a.png"]) == PNG


def test_a_large_answer_is_read_no_further_than_the_limit(web: Objects) -> None:
    web.objects = {"/big.png": PNG + bytes(30_000_000), "/film": bytes(30_000_000)}
    found = fetched(f"{web.url}/big.png", f"{web.url}/film", max_bytes=100_000)
    assert said(found[f"{web.url}/big.png"]) == ("decode", "too-many-bytes")
    assert said(found[f"{web.url}/film"]) == ("decode", "not-a-picture")
    assert found[f"{web.url}/film"].size == 30_000_000


def test_a_server_that_never_ends_is_cut_off(web: Objects) -> None:
    class Endless(web.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in [PNG + bytes(56)] + [bytes(10_000)] * 10_000:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    web.RequestHandlerClass = Endless
    assert said(fetched(f"{web.url}/a.png", max_bytes=100_000)[f"{web.url}/a.png"]) == ("decode", "too-many-bytes")


def redirecting(web: Objects, target: str) -> None:
    web.objects = {"/a.png": PNG, "/there.png": PNG}
    web.faults["/a.png"] = [Fault(status=302, headers={"Location": target})] * 9


def test_redirects_are_followed_a_few_times(web: Objects) -> None:
    redirecting(web, "/there.png")
    assert said(fetched(f"{web.url}/a.png")[f"{web.url}/a.png"]) == PNG
    redirecting(web, "/a.png")
    assert said(fetched(f"{web.url}/a.png")[f"{web.url}/a.png"]) == ("fetch", "unreadable")


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/x", "file:///etc/passwd", "s3://pics/x", "http://[bad", "gopher://h/"]
)
def test_redirects_lead_nowhere_else(web: Objects, target: str) -> None:
    redirecting(web, target)
    assert said(fetched(f"{web.url}/a.png")[f"{web.url}/a.png"]) == ("fetch", "unreadable")


def test_https_is_not_redirected_to_http(secure_web: Objects, web: Objects) -> None:
    web.objects = {"/a.png": PNG}
    redirecting(secure_web, f"{web.url}/a.png")
    url = f"{local(secure_web)}/a.png"
    assert said(fetched(url)[url]) == ("fetch", "unreadable")
    assert not web.requests


def test_a_compressed_answer_is_not_guessed_at(web: Objects) -> None:
    web.objects = {"/a.png": PNG}
    web.faults["/a.png"] = [Fault(headers={"Content-Encoding": "br"})]
    assert said(fetched(f"{web.url}/a.png")[f"{web.url}/a.png"]) == ("fetch", "unreadable")


@pytest.mark.parametrize(
    "name", ["/50%25.png", "/a%2Fb.png", "/a%20b.png", "/%E5%86%99.png", "/a;b,c.png", "/a//b/../c.png"]
)
def test_a_quoted_url_is_sent_as_it_stands(web: Objects, name: str) -> None:
    web.objects = {name: PNG}
    assert said(fetched(web.url + name)[web.url + name]) == PNG


def test_an_unquoted_url_is_quoted(web: Objects) -> None:
    web.objects = {"/%E5%86%99%20a%0Ab.png": PNG}
    assert said(fetched(f"{web.url}/写 a\nb.png")[f"{web.url}/写 a\nb.png"]) == PNG


@pytest.mark.parametrize("url", ["http://192.0.2.1/a.png", "http://localhost.example/a.png", "ftp://h/a.png", "s3:///a.png",
                                 "https://user:pass@h/a.png", "s3://KEY:SECRETKEY@bucket/a"])  # fmt: skip
def test_urls_that_are_not_scanned_are_usage_errors_and_failed_in_a_list(
    run_cli: RunCli, tmp_path: Path, url: str
) -> None:
    with pytest.raises(UsageError):
        walked(url)
    done = run_cli(url, code=2)
    assert b"error: " in done.stderr and b"SECRETKEY" not in done.stderr and b"user:pass" not in done.stderr
    (tmp_path / "list").write_text(f"{url}\n")
    done = run_cli("--files-from", "list", "--format", "jsonl", code=2)
    (record,) = records(done.stdout).values()
    assert record["error"]["reason"] == "unsupported" and b"SECRETKEY" not in done.stdout


def test_list_tells_by_beginnings_what_would_be_scanned(
    run_cli: RunCli, web: Objects, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    web.objects = {**pictures, "/big.png": PNG + bytes(5_000_000)}
    (tmp_path / "list").write_text("".join(f"{web.url}{name}\n" for name in [*web.objects, "/gone.png"]))
    done = run_cli("--list", "--files-from", "list", "--no-cache")
    listed = [line.removeprefix(web.url) for line in done.stdout.decode().splitlines()]
    assert listed == ["/white.png", "/black.jpg", "/empty.png", "/big.png", "/gone.png"]
    assert web.asked("/big.png") == [("GET", "bytes=0-63")]
