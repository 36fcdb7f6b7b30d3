"""Scans of S3 from the command line: the records of a folder of the same files, and each way a run can end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCli
from tests.fakes import BLACK, WHITE, picture
from tests.remote.reading import PNG
from tests.remote.servers import Fault, Objects

ELSEWHERE = ("path", "modified", "model")
"""What a record of a store need not have in common with one of a folder."""


def records(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def upload(server: Objects, folder: Path, prefix: str = "up/") -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            server.objects[prefix + path.relative_to(folder).as_posix()] = path.read_bytes()


def test_a_bucket_has_the_records_of_a_folder(s3: Objects, run_cli: RunCli, image_tree: Path) -> None:
    (image_tree / "link.png").unlink()
    upload(s3, image_tree)
    local = records(run_cli("photos", "--format", "jsonl", code=2).stdout)
    remote = records(run_cli("s3://pics/up", "--format", "jsonl", code=2).stdout)
    assert [record["path"] for record in remote] == [
        record["path"].replace("photos/", "s3://pics/up/") for record in local
    ]
    for one, other in zip(local, remote, strict=True):
        assert {key: one[key] for key in one if key not in ELSEWHERE} == {
            key: other[key] for key in other if key not in ELSEWHERE
        }


def test_filters_and_limits_hold(s3: Objects, run_cli: RunCli, image_tree: Path) -> None:
    upload(s3, image_tree)
    args = ("--format", "jsonl", "--exclude", "*.webp", "--no-recursive")
    found = {record["path"]: record for record in records(run_cli("s3://pics/up", *args, code=2).stdout)}
    assert found["s3://pics/up/c-unsure.webp"]["error"]["reason"] == "excluded"
    assert found["s3://pics/up/sub/"]["error"]["reason"] == "too-deep"
    assert found["s3://pics/up/.hidden.png"]["error"]["reason"] == "hidden"
    assert len(records(run_cli("s3://pics/up", "--format", "jsonl", "--limit", "1", code=1).stdout)) == 2


def test_what_has_not_changed_is_neither_fetched_nor_classified_again(
    s3: Objects, run_cli: RunCli, clean_tree: Path
) -> None:
    upload(s3, clean_tree)
    first = records(run_cli("s3://pics/up", "--format", "jsonl").stdout)
    s3.requests.clear()
    again = records(run_cli("s3://pics/up", "--format", "jsonl").stdout)
    assert not [request for request in s3.requests if request[0] == "GET"]
    assert [record.pop("cached") for record in first] == [False, False]
    assert [record.pop("cached") for record in again] == [True, True]
    assert first == again
    assert records(run_cli("s3://pics/up", "--format", "jsonl", "--rehash").stdout)[0]["cached"] is False

    old = s3.objects["up/one.png"]
    s3.objects["up/one.png"] = old[:-1] + bytes([old[-1] ^ 1])  # as large and, here, as old: the ETag alone tells
    third = records(run_cli("s3://pics/up", "--format", "jsonl", code=None).stdout)
    assert [record["cached"] for record in third] == [False, True]


def test_the_cache_keeps_what_it_cannot_look_for(s3: Objects, run_cli: RunCli, clean_tree: Path) -> None:
    upload(s3, clean_tree)
    run_cli("s3://pics/up")
    run_cli("cache", "prune")
    s3.requests.clear()
    assert all(record["cached"] for record in records(run_cli("s3://pics/up", "--format", "jsonl").stdout))


def test_new_only_reports_an_object_once(s3: Objects, run_cli: RunCli, clean_tree: Path) -> None:
    upload(s3, clean_tree)
    assert len(records(run_cli("s3://pics/up", "--new-only", "--format", "jsonl").stdout)) == 2
    s3.objects["up/three.png"] = s3.objects["up/one.png"]
    (record,) = records(run_cli("s3://pics/up", "--new-only", "--format", "jsonl").stdout)
    assert record["path"] == "s3://pics/up/three.png"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("s3://nowhere/up", "s3://nowhere/up: no such bucket"),
        ("s3://pics/none", "s3://pics/none: no such object or folder"),
        ("s3://no_bucket!/a", "s3://no_bucket!/a: no name that a bucket or an object can have"),
        ("s3://", "name a bucket"),
    ],
)
def test_an_argument_that_is_not_there_is_an_error_and_the_others_are_scanned(
    s3: Objects, run_cli: RunCli, clean_tree: Path, argument: str, message: str
) -> None:
    upload(s3, clean_tree)
    done = run_cli(argument, code=2)
    assert message in done.stderr.decode()
    if argument != "s3://":
        assert len(records(run_cli(argument, "s3://pics/up", "--format", "jsonl", code=2).stdout)) == 2


def test_without_credentials_the_error_says_so(s3: Objects, run_cli: RunCli) -> None:
    env: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    done = run_cli("s3://pics/up", code=2, env=env)
    assert b"no AWS credentials were found (a public bucket: FSSPEC_S3_ANON=true)" in done.stderr
    s3.objects = {"a.txt": b"text"}
    assert run_cli("s3://pics", "--no-cache", env={**env, "FSSPEC_S3_ANON": "true"}).returncode == 0


def test_credentials_of_a_profile_are_used_and_written_nowhere(
    s3: Objects, run_cli: RunCli, clean_tree: Path, tmp_path: Path
) -> None:
    upload(s3, clean_tree)
    profile = "[uploads]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = profile-secret\n"
    (tmp_path / "credentials").write_text(profile)
    env: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_PROFILE": "uploads",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }  # fmt: skip
    options = ("-v", "--log-file", "log", "-o", "r.json", "-o", "r.html", "s3://pics/up", "s3://nowhere")
    done = run_cli(*options, env=env, code=2)
    written = [done.stdout, done.stderr, *((tmp_path / name).read_bytes() for name in ("log", "r.json", "r.html"))]
    assert not [text for text in written if b"AKIAPROFILE" in text or b"profile-secret" in text]
    assert b"s3://pics/up/one.png" in written[3]


def test_a_listing_that_breaks_off_is_a_failed_record(s3: Objects, run_cli: RunCli, clean_tree: Path) -> None:
    upload(s3, clean_tree)
    s3.page_size = 1

    class BreaksOff(s3.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def _list(self, query: dict[str, str]) -> None:
            if "continuation-token" in query:
                self.answer(403, self.error_body(403), {})
            else:
                super()._list(query)

    s3.RequestHandlerClass = BreaksOff
    found = records(run_cli("s3://pics/up", "--format", "jsonl", code=2).stdout)
    assert [record["path"] for record in found] == ["s3://pics/up/one.png", "s3://pics/up"]
    assert "its listing broke off: access denied" in found[1]["error"]["detail"]


NONSENSE = (
    b"no xml",
    b"<a>",
    b"",
    b'{"x": 1}',
    b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
)


@pytest.mark.parametrize("answer", NONSENSE)
def test_a_server_that_talks_nonsense_is_an_error(s3: Objects, run_cli: RunCli, answer: bytes) -> None:
    class Nonsense(s3.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def _list(self, query: dict[str, str]) -> None:
            self.answer(200, answer, {"Content-Type": "application/xml"})

    s3.RequestHandlerClass = Nonsense
    done = run_cli("s3://pics/up", code=2)
    assert b"error: s3://pics/up: " in done.stderr and b"internal error" not in done.stderr


def test_a_listing_that_never_ends_is_noticed(s3: Objects, run_cli: RunCli, clean_tree: Path) -> None:
    upload(s3, clean_tree)
    s3.page_size = 1

    class Circle(s3.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def _list(self, query: dict[str, str]) -> None:
            super()._list({name: value for name, value in query.items() if name != "continuation-token"})

    s3.RequestHandlerClass = Circle
    found = records(run_cli("s3://pics/up", "--format", "jsonl", code=2).stdout)
    assert "circle" in found[-1]["error"]["detail"]


def test_flagged_objects_are_not_copied_or_moved(s3: Objects, run_cli: RunCli, tmp_path: Path) -> None:
    s3.objects = {"a.png": picture(tmp_path / "a.png", WHITE).read_bytes()}
    for flag in ("--copy-flagged", "--move-flagged"):
        done = run_cli("s3://pics", flag, "out", code=2)
        assert b"copied with the store's own tools" in done.stderr
        (tmp_path / "list").write_text("s3://pics/a.png\n")
        done = run_cli("--files-from", "list", flag, "out", code=2)
        assert b"s3://pics/a.png: left where it is" in done.stderr
    assert "a.png" in s3.objects


def test_a_page_shows_pictures_of_a_store(s3: Objects, run_cli: RunCli, tmp_path: Path) -> None:
    s3.objects = {"a.png": picture(tmp_path / "a.png", WHITE).read_bytes()}
    run_cli("s3://pics", "-o", "r.html", code=1)
    page = (tmp_path / "r.html").read_text()
    assert "data:image/" in page and "s3://pics/a.png" in page
    run_cli("s3://pics", "-o", "again.html", code=1)  # known by now, and not fetched again
    assert "s3://pics/a.png" in (tmp_path / "again.html").read_text()


def test_the_options_of_the_environment_and_a_list_from_standard_input(
    s3: Objects, run_cli: RunCli, clean_tree: Path
) -> None:
    upload(s3, clean_tree)
    lines = b"s3://pics/up/one.png\0s3://pics/up/gone.png\0s3://pics/up/\0s3://pics/up/one.png\0s3://nowhere/\0"
    for cache in ("--no-cache", "--retry-errors"):
        found = records(run_cli("--files-from", "-", "-0", cache, "--format", "jsonl", input=lines, code=2).stdout)
        told = [(record["path"], (record["error"] or {}).get("reason")) for record in found]
        assert told == [
            ("s3://pics/up/one.png", None), ("s3://pics/up/gone.png", "vanished"), ("s3://pics/up/two.jpg", None),
            ("s3://nowhere/", "vanished"),
        ]  # fmt: skip


def test_ctrl_c_ends_a_run_that_waits_for_a_server(
    s3: Objects, command: list[str], cli_environment: dict[str, str], tmp_path: Path
) -> None:
    s3.objects = {"a.png": PNG}
    s3.faults["a.png"] = [Fault(stall=60)] * 9
    arguments = [*command, "s3://pics", "--format", "jsonl", "--no-cache"]
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env={**os.environ, **cli_environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not s3.asked("a.png"):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and b"Traceback" not in stderr, stderr


def test_moto_agrees(run_cli: RunCli, image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that others test against: signatures, pages of a thousand, and its own XML."""
    server_module = pytest.importorskip("moto.server", reason="needs moto[server]")
    import boto3

    from tests.remote.conftest import s3_environment

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        environment = s3_environment("http://{}:{}".format(*server.get_host_and_port()), tmp_path)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="uploads")
        small = picture(tmp_path / "small.png", BLACK, size=(8, 8)).read_bytes()
        for number in range(1005):
            client.put_object(Bucket="uploads", Key=f"many/{number:04}.png", Body=small)
        for path in image_tree.iterdir():
            if path.is_file():
                client.put_object(Bucket="uploads", Key=f"few/{path.name}", Body=path.read_bytes())
        env: dict[str, str | None] = {**environment}
        done = run_cli("s3://uploads/many", "--format", "jsonl", "--no-cache", env=env)
        found = records(done.stdout)
        assert [record["path"] for record in found] == [f"s3://uploads/many/{number:04}.png" for number in range(1005)]
        assert {record["label"] for record in found} == {"real"}
        few = records(run_cli("s3://uploads/few", "--format", "jsonl", "--no-cache", env=env, code=2).stdout)
        assert {record["path"].rsplit("/", 1)[1]: record["status"] for record in few} == {
            "a-ai.png": "scanned", "b-real.jpg": "scanned", "c-unsure.webp": "scanned", "link.png": "scanned",
            "d-truncated.jpg": "failed", "e-empty.png": "failed", "notes.txt": "skipped", ".hidden.png": "skipped",
        }  # fmt: skip
    finally:
        server.stop()


def test_explain_takes_an_object_and_no_folder(s3: Objects, run_cli: RunCli, tmp_path: Path) -> None:
    s3.objects = {"up/a.png": picture(tmp_path / "a.png", WHITE).read_bytes(), "up/b.png": b"none", "up/c.png": PNG}
    told = json.loads(run_cli("explain", "s3://pics/up/a.png", "--json").stdout)
    assert told["record"]["path"] == "s3://pics/up/a.png" and len(told["views"]) == 1
    assert b"s3://pics/up is a folder" in run_cli("explain", "s3://pics/up", code=2).stderr
    assert b"no such" in run_cli("explain", "s3://pics/none", code=2).stderr


def test_a_page_of_a_report_leads_into_no_store(s3: Objects, run_cli: RunCli, tmp_path: Path) -> None:
    s3.objects = {"a.png": picture(tmp_path / "a.png", WHITE).read_bytes()}
    run_cli("s3://pics", (tmp_path / "a.png").as_uri(), "-o", "r.jsonl", code=1)
    s3.requests.clear()
    run_cli("review", "r.jsonl", "-o", "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "not fetched again" in page and 'href="s3:' not in page and not s3.requests
    assert page.count("data:image/jpeg;base64,") >= 1, "the one on this machine is drawn"
