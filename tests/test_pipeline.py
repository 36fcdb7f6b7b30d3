"""The library: one record a file, in order, whatever the batches are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import FileResult, ScanOptions, scan
from scanner.pipeline import Scan
from scanner.records import DecodedImage, Examined, Failure, ImageFile, Label, Reason, Stage, Status
from tests.fakes import GREY, FakeClassifier, picture


class Counter:
    """Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def advance(self, result: FileResult) -> None:
        self.paths.append(result.path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(9):
        picture(folder / f"{number}.png", number * 31)
    (folder / "4-broken.png").write_bytes((folder / "4.png").read_bytes()[:60])
    (folder / "7-note.txt").write_text("no picture")
    return folder


def options(pictures: Path, tiny_model_dir: Path, batch_size: int | None = None) -> ScanOptions:
    return ScanOptions(paths=(str(pictures),), model=str(tiny_model_dir), batch_size=batch_size)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(batch_size=st.integers(1, 20))
def test_any_batch_size_gives_the_same_records_in_the_same_order(
    pictures: Path, tiny_model_dir: Path, batch_size: int
) -> None:
    alone = list(scan(options(pictures, tiny_model_dir, 1), FakeClassifier()))
    classifier = FakeClassifier()
    together = list(scan(options(pictures, tiny_model_dir, batch_size), classifier))
    assert together == alone
    assert max(classifier.batches) <= batch_size and sum(classifier.batches) == 9
    assert [Path(result.path).name for result in alone] == sorted(path.name for path in pictures.iterdir())


def test_the_fake_and_the_graph_agree(pictures: Path, tiny_model_dir: Path) -> None:
    fake = list(scan(options(pictures, tiny_model_dir), FakeClassifier()))
    real = list(scan(replace(options(pictures, tiny_model_dir), workers=1)))
    assert [(r.path, r.status, r.label, r.error) for r in fake] == [(r.path, r.status, r.label, r.error) for r in real]
    for one, other in zip(fake, real, strict=True):
        assert (one.logit is None) == (other.logit is None)
        assert one.logit is None or one.logit == pytest.approx(other.logit, abs=1e-4)


def test_progress_hears_of_every_record_and_nothing_is_printed(
    pictures: Path, tiny_model_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heard = Counter()
    found = list(scan(options(pictures, tiny_model_dir), FakeClassifier(), heard))
    assert heard.paths == [result.path for result in found]
    assert {result.status for result in found} == set(Status)
    assert capfd.readouterr() == ("", "")


def test_missing_arguments_are_told_and_the_others_scanned(pictures: Path, tiny_model_dir: Path) -> None:
    told: list[str] = []
    asked = replace(options(pictures, tiny_model_dir), paths=("nowhere", str(pictures / "0.png")))
    with Scan(asked, classifier=FakeClassifier(), on_missing=lambda path, error: told.append(path)) as run:
        assert [Path(result.path).name for result in run] == ["0.png"]
        assert run.missing == told == ["nowhere"]


class Forgetful:
    """An engine that loses a file."""

    provider = "FakeProvider"
    workers = 1

    def open(self) -> None:
        """Nothing to open."""

    def examine(self, files: Iterator[ImageFile | Examined]) -> Iterator[Examined]:
        """All results but the third."""
        for number, item in enumerate(files):
            if number != 2:
                yield item if isinstance(item, Examined) else Examined(item, Failure(Stage.DECODE, Reason.CORRUPT))

    def close(self) -> None:
        """Nothing to close."""


def test_a_run_that_loses_a_file_is_an_error(
    pictures: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scan, "_make_engine", lambda self, settings, classifier: Forgetful())
    with pytest.raises(ArithmeticError, match="11 files were found, but 10 have a record"):
        list(scan(options(pictures, tiny_model_dir)))


def test_failures_are_kept_for_the_same_limits_and_decoders_only(
    pictures: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(options(pictures, tiny_model_dir), use_cache=True, cache=tmp_path / "cache")

    def cached(asked: ScanOptions) -> tuple[bool, bool]:
        """Whether scanned pictures and whether failed ones came from the cache."""
        found = {result.status: result.cached for result in scan(asked, FakeClassifier())}
        return found[Status.SCANNED], found[Status.FAILED]

    assert [cached(asked), cached(asked)] == [(False, False), (True, True)]
    other = replace(asked, timeout=31.0)
    assert [cached(other), cached(other)] == [(True, False), (True, True)]
    monkeypatch.setattr("scanner.pipeline.installed_decoders", lambda: "pillow=99.0.0")
    assert [cached(other), cached(other)] == [(True, False), (True, True)]


def test_a_verdict_on_broken_pixels_that_an_older_version_kept_is_renewed(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = picture(tmp_path / "broken.png", GREY)
    broken.write_bytes(broken.read_bytes().replace(b"IDAT\x78", b"IDAT\x00"))
    asked = replace(options(broken, tiny_model_dir), use_cache=True, cache=tmp_path / "cache")

    def black(data: bytes, *args: object, **more: object) -> Iterator[DecodedImage]:
        yield DecodedImage(np.zeros((40, 48, 3), np.uint8), 48, 40, "PNG")

    with monkeypatch.context() as older:  # it took the picture for a black one
        older.setattr("scanner.pipeline.DECODER", "dfscan-decode-1")
        older.setattr("scanner.examine.decode_frames", black)
        assert [result.label for result in scan(asked, FakeClassifier())] == [Label.REAL]
        assert [result.cached for result in scan(asked, FakeClassifier())] == [True]
    (result,) = scan(asked, FakeClassifier())
    assert (result.status, result.label, result.cached) == (Status.FAILED, None, False)
    assert result.error is not None and result.error.reason is Reason.CORRUPT
