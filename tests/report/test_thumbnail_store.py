"""The small pictures that wait for the page: the most telling ones, in room that does not grow."""

from __future__ import annotations

import random
import tempfile
from typing import Any

import pytest

from scanner.report.page_settings import byte_limit
from scanner.report.thumbnail_store import Rank, ThumbnailStore


def ranks(count: int) -> list[Rank]:
    chances = random.Random(3)
    return [((chances.randrange(6), round(chances.random(), 1)), -number) for number in range(count)]


@pytest.mark.parametrize("order", ["mixed", "rising", "falling"])
def test_it_keeps_those_that_matter_most(order: str) -> None:
    given = ranks(400)
    if order != "mixed":
        ordered = sorted((importance for importance, _ in given), reverse=order == "falling")
        given = [(importance, -number) for number, importance in enumerate(ordered)]
    store = ThumbnailStore(50)
    for rank in given:
        store.add(rank, f"picture {-rank[1]}".encode() * 9)
    best = {-number for _, number in sorted(given, reverse=True)[:50]}
    for number in range(400):
        assert store.get(number) == (f"picture {number}".encode() * 9 if number in best else None)
    store.close()


def test_its_file_does_not_grow_with_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Any] = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *args, **more: files.append(make(*args, **more)) or files[-1])
    store = ThumbnailStore(20)
    for number in range(1000):  # each matters more than all before
        store.add(((1, number / 1000), -number), b"x" * byte_limit(20))
    assert files[0].seek(0, 2) == 20 * byte_limit(20)
    store.close()


def test_what_does_not_fit_is_left_to_be_read_again() -> None:
    store = ThumbnailStore(1000)
    store.add(((5, 0.9), 0), b"x" * (byte_limit(1000) + 1))
    assert store.get(0) is None
    nothing = ThumbnailStore(0)
    nothing.add(((5, 0.9), 0), b"x")
    assert nothing.get(0) is None
    store.close()
    nothing.close()
