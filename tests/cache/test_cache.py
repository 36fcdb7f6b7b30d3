"""What the cache promises: results known again, never a wrong one, never a reason to stop."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.cache import Cache, CacheKeys, open_cache
from scanner.cache.database import FILE
from scanner.digest import file_sha256
from scanner.errors import CacheError, LockError
from scanner.lock import hold
from scanner.options import ScanOptions
from scanner.records import (
    Declared,
    Evidence,
    Examined,
    Failure,
    FileResult,
    ImageFile,
    Label,
    Reason,
    Stage,
    Status,
    Trust,
)
from scanner.walk import walk

KEYS = CacheKeys(model="m" * 64, views="views", decoder="decoder", reader="reader", limits="limits")
EVIDENCE = (Evidence("png-text", Declared.AI_GENERATED, "ComfyUI", "prompt, workflow", Trust.UNSIGNED),)
LONG_AGO = 1_600_000_000_123_456_789


def put(path: Path, content: bytes = b"picture", mtime_ns: int = LONG_AGO) -> ImageFile:
    """A file that has not changed for long, as the walk would meet it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return meet(path)


def meet(path: Path) -> ImageFile:
    (file,) = walk(ScanOptions(paths=(str(path),)), missing=lambda path, error: None)
    return file


def examined(file: ImageFile, *, logit: float = 1.25, evidence: tuple[Evidence, ...] = ()) -> Examined:
    return Examined(file, None, logit, 640, 480, "JPEG", file_sha256(file), evidence)


def failed(file: ImageFile, reason: Reason = Reason.CORRUPT) -> Examined:
    return Examined(file, Failure(Stage.DECODE, reason, "broken"), sha256=file_sha256(file))


class Warnings(list[str]):
    """Collects what the cache says."""

    def __call__(self, message: str) -> None:
        self.append(message)


def cache_in(folder: Path, keys: CacheKeys = KEYS, warn: Warnings | None = None, **options: bool) -> Cache:
    def refuse(message: str) -> None:
        raise AssertionError(message)

    folder.mkdir(exist_ok=True)
    return Cache(folder, keys, warn=refuse if warn is None else warn, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def remember(folder: Path, *results: Examined, keys: CacheKeys = KEYS) -> None:
    cache = cache_in(folder, keys)
    for result in results:
        cache.find(result.file)
        cache.store(result)
    cache.close()


def recall(folder: Path, *files: ImageFile, keys: CacheKeys = KEYS, **options: bool) -> list[Examined | None]:
    cache = cache_in(folder, keys, **options)
    try:
        return [cache.find(file) for file in files]
    finally:
        cache.close()


# --- known again ---


def test_an_unchanged_file_is_known_with_everything_about_it(tmp_path: Path, folder: Path) -> None:
    result = examined(put(tmp_path / "a.jpg"), logit=-0.1 + 1e-12, evidence=EVIDENCE)
    remember(folder, result)
    assert recall(folder, result.file) == [replace(result, cached=True)]


def test_a_known_file_is_not_opened(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = examined(put(tmp_path / "a.jpg"))
    remember(folder, result)
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: pytest.fail("opened"))
    assert recall(folder, result.file) == [replace(result, cached=True)]


def test_another_spelling_of_the_path_is_the_same_file(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(folder, examined(put(tmp_path / "p" / "a.jpg")))
    monkeypatch.chdir(tmp_path / "p")
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: None)
    for spelling in ("a.jpg", "./a.jpg", "../p/a.jpg"):
        (known,) = recall(
            folder, meet(Path(spelling)) if spelling == "a.jpg" else replace(meet(Path("a.jpg")), path=spelling)
        )
        assert known is not None and known.file.path == spelling


@pytest.mark.parametrize("field", ["size", "mtime_ns", "inode"])
def test_a_file_whose_state_differs_is_not_known(
    tmp_path: Path, folder: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "a.jpg")
    remember(folder, examined(file))
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: None)
    assert recall(folder, replace(file, **{field: getattr(file, field) + 1})) == [None]


def test_a_changed_content_is_not_known(tmp_path: Path, folder: Path) -> None:
    remember(folder, examined(put(tmp_path / "a.jpg", b"before!")))
    changed = put(tmp_path / "a.jpg", b"after!!", LONG_AGO + 1)
    assert recall(folder, changed) == [None]


def test_a_moved_copied_or_touched_file_is_known_by_its_content(tmp_path: Path, folder: Path) -> None:
    result = examined(put(tmp_path / "a.jpg"), evidence=EVIDENCE)
    remember(folder, result)
    moved = put(tmp_path / "b" / "c.jpg", mtime_ns=LONG_AGO + 7)
    touched = put(tmp_path / "a.jpg", mtime_ns=LONG_AGO + 9)
    for file in (moved, touched):
        assert recall(folder, file) == [replace(result, file=file, cached=True)]


def test_a_file_known_by_content_is_known_by_its_path_afterwards(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(folder, examined(put(tmp_path / "a.jpg")))
    moved = put(tmp_path / "b.jpg", mtime_ns=LONG_AGO + 1)
    assert recall(folder, moved) != [None]
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: pytest.fail("opened"))
    assert recall(folder, moved) != [None]


def test_a_run_does_not_know_what_it_learnt_itself(tmp_path: Path, folder: Path) -> None:
    cache = cache_in(folder)
    cache.store(examined(put(tmp_path / "a.jpg")))
    cache.flush()
    assert cache.find(put(tmp_path / "twin.jpg")) is None
    cache.close()


def test_rehash_distrusts_sizes_and_times(tmp_path: Path, folder: Path) -> None:
    remember(folder, examined(put(tmp_path / "a.jpg", b"before!")))
    path = tmp_path / "a.jpg"
    with open(path, "r+b") as file:  # same inode, size and time: a forger's work
        file.write(b"forged!")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert recall(folder, meet(path)) != [None]
    assert recall(folder, meet(path), rehash=True) == [None]
    path.write_bytes(b"before!")
    assert recall(folder, meet(path), rehash=True) != [None]


def test_a_file_that_may_still_be_changing_is_hashed_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    now = time.time_ns()
    monkeypatch.setattr("scanner.cache.store.time.time_ns", lambda: now)
    fresh = put(tmp_path / "fresh.jpg", b"1", now - 1_000_000)
    coarse = put(tmp_path / "coarse.jpg", b"22", (now // 10**9 - 1) * 10**9)
    old = put(tmp_path / "old.jpg", b"333", now - 3_000_000_001)
    remember(folder, examined(fresh), examined(coarse), examined(old))
    asked: list[str] = []
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: asked.append(file.path))
    recall(folder, fresh, coarse, old)
    assert asked == [fresh.path, coarse.path]


def test_files_over_the_limit_are_not_hashed(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path / "a.jpg")
    remember(folder, examined(file))
    monkeypatch.setattr("scanner.cache.store.file_sha256", lambda file: pytest.fail("read"))
    cache = Cache(folder, KEYS, max_bytes=3, warn=pytest.fail)
    assert cache.find(replace(file, path=file.path + "x")) is None
    cache.close()


@pytest.mark.parametrize("field", ["model", "views", "decoder", "reader"])
def test_results_of_other_settings_are_not_taken(tmp_path: Path, folder: Path, field: str) -> None:
    result = examined(put(tmp_path / "a.jpg"))
    remember(folder, result)
    other = replace(KEYS, **{field: "other"})
    assert recall(folder, result.file, keys=other) == [None]
    second = examined(result.file, logit=-7.0)
    remember(folder, second, keys=other)
    assert recall(folder, result.file, keys=other) == [replace(second, cached=True)]
    if field != "reader":
        assert recall(folder, result.file) == [replace(result, cached=True)]


# --- failures ---


@pytest.mark.parametrize("reason", list(Reason))
def test_failures_that_the_content_explains_are_kept(tmp_path: Path, folder: Path, reason: Reason) -> None:
    kept = {"corrupt", "truncated", "unsupported", "too-many-pixels", "timeout", "crashed", "not-a-picture"}
    result = failed(put(tmp_path / "a.jpg"), reason)
    remember(folder, result)
    expected = replace(result, cached=True) if reason.value in kept else None
    assert recall(folder, result.file) == [expected]
    assert recall(folder, result.file, retry_errors=True) == [None]
    assert recall(folder, result.file, keys=replace(KEYS, limits="others")) == [None]


def test_a_success_holds_under_other_limits(tmp_path: Path, folder: Path) -> None:
    result = examined(put(tmp_path / "a.jpg"))
    remember(folder, result)
    assert recall(folder, result.file, keys=replace(KEYS, limits="others"), retry_errors=True) != [None]


def test_entries_that_are_not_to_be_opened_are_neither_kept_nor_found(tmp_path: Path, folder: Path) -> None:
    file = ImageFile(str(tmp_path / "gone"), failure=Failure(Stage.WALK, Reason.VANISHED))
    remember(folder, Examined(file, file.failure))
    assert recall(folder, file) == [None]


# --- large and odd ---


@pytest.mark.parametrize("count", [5, 3000, 9000])
def test_a_directory_of_any_size_is_known_in_walk_order(tmp_path: Path, folder: Path, count: int) -> None:
    files = [ImageFile(f"{tmp_path}/d/{n:06}.jpg", 1000 + n, LONG_AGO, 1, n) for n in range(count)]
    remember(folder, *(Examined(f, None, f.inode / 8, 1, 1, "PNG", f"{f.inode:064x}") for f in files))
    found = recall(folder, *files)
    assert [known.logit if known else None for known in found] == [n / 8 for n in range(count)]
    mixed = [f for n in range(0, count - 1, 7) for f in (files[-1 - n], files[n])]  # a list in disorder
    assert all(
        known is not None and known.file == file for known, file in zip(recall(folder, *mixed), mixed, strict=True)
    )


def test_one_query_a_directory(tmp_path: Path, folder: Path) -> None:
    files = [ImageFile(f"{tmp_path}/{d}/{n:03}.jpg", 9, LONG_AGO, 1, n) for d in range(3) for n in range(500)]
    remember(folder, *(Examined(f, None, 1.0, 1, 1, "PNG", f"{i:064x}") for i, f in enumerate(files)))
    cache = cache_in(folder)
    statements: list[str] = []
    cache._database.set_trace_callback(statements.append)
    assert all(cache.find(file) for file in files)
    assert len([s for s in statements if "FROM files" in s]) == 3
    assert len(statements) == 6
    cache.close()


def test_numbers_that_sqlite_cannot_hold(tmp_path: Path, folder: Path) -> None:
    far = ImageFile(str(tmp_path / "a.jpg"), 5, 2**63 + 12345, 1, 2**64 - 3)
    result = Examined(far, None, 0.5, 1, 1, "PNG", "ab" * 32)
    remember(folder, result)
    assert recall(folder, far) == [replace(result, cached=True)]


@pytest.mark.skipif(os.name != "posix", reason="needs names that are bytes")
def test_names_that_are_not_utf8(tmp_path: Path, folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe/\x1b\n.jpg"))
    result = examined(put(path))
    remember(folder, result)
    assert recall(folder, result.file) == [replace(result, cached=True)]


# --- new only ---


def report(path: Path, *, sha256: str | None = "ab" * 32, status: Status = Status.SCANNED) -> FileResult:
    error = Failure(Stage.DECODE, Reason.CORRUPT) if status is Status.FAILED else None
    return FileResult(str(path), status, Label.REAL, sha256=sha256, error=error, bytes=3, mtime_ns=4)


def test_what_a_finished_report_holds_is_not_new(tmp_path: Path, folder: Path) -> None:
    one, two = report(tmp_path / "1"), report(tmp_path / "2")
    cache = cache_in(folder)
    assert cache.is_new(one)
    cache.mark_reported(one)
    assert cache.is_new(one)
    cache.commit_reported()
    assert (cache.is_new(one), cache.is_new(two)) == (False, True)
    cache.close()
    again = cache_in(folder)
    assert not again.is_new(one)
    assert again.is_new(replace(one, sha256="cd" * 32))
    again.close()
    other = cache_in(folder, replace(KEYS, model="other"))
    assert other.is_new(one)
    other.close()


def test_what_an_unfinished_report_held_is_new_again(tmp_path: Path, folder: Path) -> None:
    cache = cache_in(folder)
    cache.mark_reported(report(tmp_path / "1"))
    cache.close()
    again = cache_in(folder)
    again.commit_reported()  # of a run that reported nothing
    assert again.is_new(report(tmp_path / "1"))
    again.close()


def test_failed_files_are_new_once_unless_retried(tmp_path: Path, folder: Path) -> None:
    for sha256 in (None, "ab" * 32):
        result = report(tmp_path / str(sha256), sha256=sha256, status=Status.FAILED)
        cache = cache_in(folder)
        cache.mark_reported(result)
        cache.commit_reported()
        assert not cache.is_new(result)
        cache.close()
        retrying = cache_in(folder, retry_errors=True)
        assert retrying.is_new(result)
        retrying.close()


# --- torn, foreign, full ---


def test_a_foreign_file_is_set_aside(tmp_path: Path, folder: Path) -> None:
    folder.mkdir()
    for content in (b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096):
        (folder / FILE).write_bytes(content)
        warnings = Warnings()
        cache = cache_in(folder, warn=warnings)
        file = put(tmp_path / "a.jpg")
        assert cache.find(file) is None
        cache.store(examined(file))
        cache.close()
        assert len(warnings) == 1 and "was set aside as cache.sqlite3.broken-" in warnings[0]
        assert recall(folder, file) != [None]
    assert sorted(len(path.read_bytes()) for path in folder.glob("*.broken-*")) == [1400, 4112]


def test_another_programs_database_is_set_aside(folder: Path) -> None:
    folder.mkdir()
    other = sqlite3.connect(folder / FILE)
    other.execute("CREATE TABLE files (a)")
    other.commit()
    other.close()
    warnings = Warnings()
    cache_in(folder, warn=warnings).close()
    assert "it belongs to another program" in warnings[0]
    (aside,) = folder.glob("*.broken-*")
    kept = sqlite3.connect(aside)
    assert kept.execute("SELECT count(*) FROM files").fetchone() == (0,)
    kept.close()


def test_a_database_of_another_version_is_set_aside(folder: Path) -> None:
    cache_in(folder).close()
    database = sqlite3.connect(folder / FILE)
    database.execute("PRAGMA user_version = 99")
    database.close()
    warnings = Warnings()
    cache_in(folder, warn=warnings).close()
    assert "it has form 99, this version reads form 1" in warnings[0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Examined]]:
    """A cache file and the results in it; every size differs, as it does among pictures."""
    root = tmp_path_factory.mktemp("sound")
    results = []
    for n in range(300):
        file = ImageFile(f"{root}/{n // 50}/{n:04}.jpg", 1000 + n, LONG_AGO + n, 1, n)
        evidence = EVIDENCE if n % 3 == 0 else ()
        results.append(Examined(file, None, n / 7, n, n + 1, "JPEG", f"{n * 7919:064x}", evidence))
    remember(root / "cache", *results)
    return (root / "cache" / FILE).read_bytes(), results


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_never_gives_a_wrong_result_and_never_stops_a_run(
    sound: tuple[bytes, list[Examined]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content, results = sound
    broken = bytearray(content)
    kind = data.draw(st.sampled_from(["truncate", "zero", "noise", "swap"]))
    start = data.draw(st.integers(0, len(content) - 1))
    if kind == "truncate":
        del broken[start:]
    elif kind == "zero":
        broken[start : start + 4096] = bytes(len(broken[start : start + 4096]))
    elif kind == "noise":
        noise = data.draw(st.binary(min_size=1, max_size=64))
        broken[start : start + len(noise)] = noise
    else:  # a page of another place, as a torn write leaves it
        page, other = start // 4096 * 4096, data.draw(st.integers(0, len(content) // 4096 - 1)) * 4096
        broken[page : page + 4096] = content[other : other + 4096]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / FILE).write_bytes(broken)
    cache = cache_in(folder, warn=Warnings())
    for result in results:
        assert cache.find(result.file) in (None, replace(result, cached=True))
        cache.store(result)
    cache.close()
    again = cache_in(folder, warn=Warnings())
    for result in results[::20]:
        assert again.find(result.file) in (None, replace(result, cached=True))
    again.close()


def test_a_schema_that_is_no_text_is_damage(sound: tuple[bytes, list[Examined]], folder: Path) -> None:
    content, results = sound
    folder.mkdir()
    (folder / FILE).write_bytes(content.replace(b"sqlite_autoindex_scorers_1", b"\x80qlite_autoindex_scorers_1"))
    warnings = Warnings()
    cache = cache_in(folder, warn=warnings)
    assert cache.find(results[0].file) is None
    cache.close()
    assert len(warnings) == 1 and "was not usable (its schema is no text); it was set aside as " in warnings[0]


def test_a_schema_that_the_statements_do_not_fit_is_damage(sound: tuple[bytes, list[Examined]], folder: Path) -> None:
    content, results = sound
    folder.mkdir()
    (folder / FILE).write_bytes(content.replace(b"name BLOB NOT NULL", b"name COLLATE other"))
    warnings = Warnings()
    cache = cache_in(folder, warn=warnings)
    assert cache.find(results[0].file) is None
    cache.store(results[0])
    cache.close()
    assert len(warnings) == 1 and "it was set aside as " in warnings[0]
    assert recall(folder, results[0].file) == [replace(results[0], cached=True)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a POSIX system")
def test_a_full_disk_costs_the_cache_and_not_the_run(tmp_path: Path, folder: Path) -> None:
    warnings = Warnings()
    cache = cache_in(folder, warn=warnings)
    cache._database.execute("PRAGMA max_page_count = 25")  # what SQLite says then is what a full disk makes it say
    results = [
        Examined(ImageFile(f"{tmp_path}/{n}", n + 1, 1, 1, 1), None, 1.0, 1, 1, "PNG", f"{n:064x}") for n in range(2000)
    ]
    for result in results:
        cache.store(result)
    assert cache.find(results[0].file) is None
    assert cache.is_new(report(tmp_path / "a"))
    cache.commit_reported()
    cache.close()
    assert len(warnings) == 1 and "is not used any more: database or disk is full" in warnings[0]


# --- opening by options ---


def options(**values: object) -> ScanOptions:
    return ScanOptions(paths=("x",), **{"use_cache": True, **values})  # type: ignore[arg-type]


def test_without_a_cache_there_is_none(folder: Path) -> None:
    with open_cache(options(use_cache=False), KEYS, pytest.fail) as cache:
        assert cache is None


def test_the_platforms_folder_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.cache.default_folder", lambda: folder)
    with open_cache(options(), KEYS, pytest.fail) as cache:
        assert cache is not None
    assert (folder / FILE).is_file()
    if os.name == "posix":
        assert (folder.stat().st_mode & 0o77, (folder / FILE).stat().st_mode & 0o77) == (0, 0)


def test_a_second_run_is_refused_with_one_line(folder: Path) -> None:
    with open_cache(options(cache=folder), KEYS, pytest.fail), pytest.raises(LockError) as refused:  # noqa: SIM117
        with open_cache(options(cache=folder), KEYS, pytest.fail):
            pass
    assert f"another run (process {os.getpid()}, since " in str(refused.value)
    assert str(refused.value).endswith(
        f") holds {folder}; run again later, or with --wait (waits for it), --cache DIR (another cache) or --no-cache"
    )


def test_a_folder_that_was_asked_for_must_be_usable(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(CacheError, match="cannot use the cache in"), open_cache(options(cache=blocked), KEYS, print):
        pass


def test_the_default_folder_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("scanner.cache.default_folder", lambda: tmp_path / "file" / "cache")
    warnings = Warnings()
    with open_cache(options(), KEYS, warnings) as cache:
        assert cache is None
    assert warnings[0].startswith("scanning without a cache: ")
    with pytest.raises(CacheError), open_cache(options(new_only=True), KEYS, warnings):
        pass


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path):
        pass
