"""Bytes are fetched ahead within bounds, given back, and decoded in guarded children that never fetch."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from scanner.engine.accelerated import AcceleratedEngine
from scanner.engine.local import LocalEngine
from scanner.errors import DfscanError
from scanner.options import ScanOptions
from scanner.pipeline import Scan
from scanner.records import Failure, ImageFile, Reason
from scanner.remote import source, stores
from scanner.remote.retry import Patience, patiently
from scanner.remote.source import Contents
from scanner.remote.store import Check, Fetched, FetchError, Listed, Unwanted
from tests.engine.test_local import POISONED
from tests.engine.test_local import start as start_message
from tests.fakes import BLACK, WHITE, FakeClassifier, picture
from tests.remote.reading import PNG, walked
from tests.remote.servers import Fault, Objects


class Counting:
    """A store whose objects come when they are let through, and which notes how much is under way."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.asked: list[str] = []
        self.let_through = threading.Event()

    async def read(self, bucket: str, key: str, check: Check, first: int | None = None) -> Fetched:
        self.asked.append(key)
        while not self.let_through.is_set():
            await asyncio.sleep(0.005)
        return Fetched(PNG + bytes(self.size - len(PNG)), Listed(key, self.size))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    store = Counting(1000)
    monkeypatch.setattr("scanner.remote.fetching.open_store", lambda scheme, idle: store)
    return store


@pytest.fixture
def contents() -> Iterator[Contents]:
    made = Contents(ScanOptions())
    yield made
    made.close()


def some(count: int, size: int | None) -> list[ImageFile]:
    return [ImageFile(f"memory://b/{number:03}", size) for number in range(count)]


def settle(store: Counting, count: int) -> None:
    """Wait until so many objects have been asked for, and a little longer for one too many."""
    end = time.monotonic() + 10
    while len(store.asked) < count and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(store.asked) == count


def test_no_more_than_so_many_requests_run_at_once(counting: Counting, contents: Contents) -> None:
    files = some(100, 10)
    for file in files:
        contents.expect(file)
    settle(counting, stores.CONNECTIONS)
    counting.let_through.set()
    settle(counting, 100)
    with contents.hold(files) as held:
        assert all(file.content for file in held)


def test_no_more_than_so_many_bytes_are_held_ahead(
    counting: Counting, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "AHEAD_BYTES", 5000)
    counting.let_through.set()
    files = some(20, 1000)
    for file in files:
        contents.expect(file)
    settle(counting, 5)
    with contents.hold(files[:2]):
        settle(counting, 5)
    settle(counting, 7)
    with contents.hold(files[10:11]) as (jumped,):  # whoever waits is served, whatever is held
        assert jumped.content
    for file in files[2:10] + files[11:]:
        with contents.hold([file]) as (held,):
            assert held.content
    assert sorted(counting.asked) == [f"{number:03}" for number in range(20)]


def test_an_object_larger_than_the_bound_comes_alone(
    counting: Counting, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "AHEAD_BYTES", 500)
    counting.let_through.set()
    files = some(3, 1000)
    for file in files:
        contents.expect(file)
    settle(counting, 1)
    for file in files:
        with contents.hold([file]) as (held,):
            assert held.content


def test_what_an_object_of_unknown_size_takes_is_counted_once_it_is_there(
    counting: Counting, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "AHEAD_BYTES", 2_500_000)
    files = some(10, None)
    for file in files:
        contents.expect(file)
    settle(counting, 2)
    counting.let_through.set()
    settle(counting, 10)


def test_files_of_this_machine_pass_through(contents: Contents) -> None:
    files = [ImageFile("a.png", 3), ImageFile("file:///a.png", 3), ImageFile("s3://b/", failure=Failure(*WALKED))]
    for file in files:
        contents.expect(file)
    with contents.hold(files) as held:
        assert all(one is other for one, other in zip(held, files, strict=True))


WALKED = ("walk", Reason.HIDDEN)


def test_closing_wakes_whoever_waits(counting: Counting, contents: Contents) -> None:
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            with contents.hold(some(1, 10)):
                pass
        except CancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    settle(counting, 1)
    contents.close()
    thread.join(10)
    assert not thread.is_alive() and ended
    with pytest.raises(CancelledError), contents.hold(some(1, 10)):
        pass


def test_a_picture_that_kills_or_hangs_its_worker_costs_only_itself(
    s3: Objects, tiny_model_dir: Path, tmp_path: Path
) -> None:
    good = picture(tmp_path / "good.png", WHITE).read_bytes()
    for number in range(12):
        s3.objects[f"{number:02}.png"] = good
    s3.objects["03.png"] += b"KILL-ME"
    s3.objects["07.png"] += b"HANG-ME"
    files, _ = walked("s3://pics")
    contents = Contents(ScanOptions())
    engine = LocalEngine(
        start_message(tiny_model_dir), workers=2, chunk=4, timeout=2, program=POISONED, contents=contents
    )
    try:
        results = list(engine.examine(iter(files)))
    finally:
        contents.close()
        engine.close()
    told = {result.file.path[-6:]: result.failure.reason if result.failure else None for result in results}
    expected: dict[str, Reason | None] = {f"{number:02}.png": None for number in range(12)}
    assert told == {**expected, "03.png": Reason.CRASHED, "07.png": Reason.TIMEOUT}
    assert [result.file.path for result in results] == [file.path for file in files]
    assert all(result.file.content is None for result in results)
    assert [len(s3.asked(key)) for key in s3.objects] == [1] * 12, "no picture is fetched twice"


def test_what_cannot_be_fetched_reaches_no_worker(s3: Objects, tmp_path: Path) -> None:
    s3.objects = {"a.png": picture(tmp_path / "a.png", WHITE).read_bytes(), "b.png": b"", "c.txt": b"text" * 99}
    s3.objects["d.png"] = s3.objects["a.png"]
    s3.faults["d.png"] = [Fault(status=404)]
    classifier = FakeClassifier()
    with Scan(ScanOptions(paths=("s3://pics",)), classifier=classifier) as scan:
        reasons = [result.error.reason.value if result.error else None for result in scan]
    assert reasons == [None, "empty", "not-a-picture", "vanished"]


def test_a_scan_holds_a_bounded_part_of_a_bucket(
    s3: Objects, tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture(tmp_path / "a.bmp", BLACK, size=(300, 300)).read_bytes()
    s3.objects = {f"{number:03}.bmp": data for number in range(60)}
    monkeypatch.setattr(source, "AHEAD_BYTES", 10 * len(data))
    held: list[int] = []
    take = Contents._take

    def noting(self: Contents, *rest: Any) -> None:
        take(self, *rest)
        held.append(self._held)

    monkeypatch.setattr(Contents, "_take", noting)
    options = ScanOptions(paths=("s3://pics",), model=f"{tiny_model_dir}{os.sep}", workers=2, batch_size=2)
    with Scan(options) as scan:
        assert sum(result.label is not None for result in scan) == 60
    assert held[-1] == 0
    assert 5 * len(data) <= max(held) <= (10 + 2 * 2) * len(data), "what is ahead, and two files for each worker"


def patience(tries: int = 5) -> Patience:
    return Patience(idle=1, whole=5, tries=tries, first_wait=0.001)


def test_what_may_pass_is_tried_so_often_and_no_oftener() -> None:
    tried: list[int] = []

    async def failing() -> None:
        tried.append(1)
        raise FetchError(Reason.TIMEOUT, "slow", again=True)

    with pytest.raises(FetchError, match="slow; tried 3 times"):
        asyncio.run(patiently(failing, patience(tries=3)))
    assert len(tried) == 3


@pytest.mark.parametrize("error", [FetchError(Reason.VANISHED, "gone"), Unwanted(Reason.EMPTY, "none"), MemoryError()])
def test_what_will_not_pass_is_tried_once(error: Exception) -> None:
    tried: list[int] = []

    async def failing() -> None:
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        asyncio.run(patiently(failing, patience()))
    assert len(tried) == 1


def test_an_error_that_no_store_foresaw_is_a_failure_and_not_the_end_of_a_run() -> None:
    async def failing() -> None:
        raise KeyError("NextContinuationToken")

    with pytest.raises(FetchError, match=r"cannot be understood \(KeyError\)"):
        asyncio.run(patiently(failing, patience()))


def test_all_tries_together_end_in_time() -> None:
    async def never() -> None:
        await asyncio.sleep(60)

    with pytest.raises(FetchError, match=r"not fetched within 0\.05 s"):
        asyncio.run(patiently(never, Patience(idle=60, whole=0.05)))


def test_the_wait_that_a_server_asks_for_is_kept() -> None:
    async def limited() -> float:
        if not begun:
            begun.append(time.monotonic())
            raise FetchError(Reason.UNREADABLE, "429", again=True, wait=0.3)
        return time.monotonic() - begun[0]

    begun: list[float] = []
    assert asyncio.run(patiently(limited, patience())) >= 0.3


def test_a_store_that_cannot_be_opened_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    pytest.importorskip("adlfs", reason="needs the extra [remote]")
    stores.forget_stores()
    with pytest.raises(DfscanError, match="az:// needs an account"):
        walked("az://pics")


def test_children_around_one_session_get_fetched_bytes_too(s3: Objects, tiny_model_dir: Path, tmp_path: Path) -> None:
    for number in range(9):
        s3.objects[f"{number}.png"] = picture(tmp_path / "a.png", WHITE if number % 2 else BLACK).read_bytes()
    contents = Contents(ScanOptions())
    engine = AcceleratedEngine(
        start_message(tiny_model_dir), workers=1, chunk=2, timeout=10, rows=8, device_memory="cpu", contents=contents
    )
    try:
        results = list(engine.examine(iter(walked("s3://pics")[0])))
    finally:
        contents.close()
        engine.close()
    assert [(result.logit or 0) > 0 for result in results] == [number % 2 == 1 for number in range(9)]
