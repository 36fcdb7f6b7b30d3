from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from export.data import PrepareOptions, prepare
from export.labels import Class, Split
from export.manifest import Record, data_hash, read_manifest, write_manifest
from scanner.errors import InputError, UsageError
from tests.export.pictures import draw, fill, zipped


def by_split(records: list[Record]) -> Counter[tuple[str, str]]:
    return Counter((str(r.split), r.label.value) for r in records)


def dropped(out: Path) -> dict[str, str]:
    with open(out / "dropped.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {Path(row["file"]).name: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("real", "fake"),
    [("real", "fake"), ("Real", "FAKE"), ("nature", "ai"), ("0_real", "1_fake"), ("REAL images", "ai_generated")],
)
def test_labels_come_from_the_folders_of_a_zip_at_any_depth(tmp_path: Path, real: str, fake: str) -> None:
    fill(tmp_path / "in/nsf-reu-2023/data" / real, 10, generated=False)
    fill(tmp_path / "in/nsf-reu-2023/data" / fake, 10, generated=True)
    archive = zipped(tmp_path / "in", tmp_path / "archive.zip")
    prepare(PrepareOptions(source=archive, out=tmp_path / "out"))
    records = read_manifest(tmp_path / "out")
    assert by_split(records) == {
        ("train", "real"): 8, ("val", "real"): 1, ("test", "real"): 1,
        ("train", "ai-generated"): 8, ("val", "ai-generated"): 1, ("test", "ai-generated"): 1,
    }  # fmt: skip
    for record in records:
        assert (fake in record.file) is record.generated
        with Image.open(record.file) as picture:
            assert picture.size == (record.width, record.height) == (96, 80)


def test_a_folder_with_zipped_classes_is_unpacked(tmp_path: Path) -> None:
    for name, generated in (("real", False), ("fake", True)):
        fill(tmp_path / "pictures" / name, 4, generated=generated)
        (tmp_path / "in/train").mkdir(parents=True, exist_ok=True)
        zipped(tmp_path / "pictures" / name, tmp_path / f"in/train/{name}.zip")
    prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out"))
    assert Counter(r.label.value for r in read_manifest(tmp_path / "out")) == {"real": 4, "ai-generated": 4}


def test_splits_that_are_there_are_kept_and_the_missing_one_is_made(tmp_path: Path) -> None:
    for split, start in (("Train", 0), ("TEST", 100)):
        fill(tmp_path / "in" / split / "real", 10, generated=False, start=start)
        fill(tmp_path / "in" / split / "fake", 10, generated=True, start=start)
    prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out", val=0.2))
    records = read_manifest(tmp_path / "out")
    assert by_split(records)["test", "real"] == by_split(records)["test", "ai-generated"] == 10
    assert by_split(records)["val", "real"] == by_split(records)["val", "ai-generated"] == 2
    assert all(("TEST" in r.file) is (r.split is Split.TEST) for r in records)


def test_without_known_folders_it_stops_and_names_what_it_saw(tmp_path: Path) -> None:
    fill(tmp_path / "in/cats", 2, generated=False)
    fill(tmp_path / "in/dogs", 2, generated=True)
    with pytest.raises(InputError, match=r"'cats', 'dogs'.*--real DIR --fake DIR"):
        prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out"))
    assert not (tmp_path / "out/manifest.csv").exists()


def test_contradicting_folders_are_not_guessed_at(tmp_path: Path) -> None:
    fill(tmp_path / "in/real", 2, generated=False)
    fill(tmp_path / "in/fake/nature", 2, generated=True)
    with pytest.raises(InputError, match="name both classes"):
        prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out"))


def test_real_and_fake_name_the_folders_outright(tmp_path: Path) -> None:
    fill(tmp_path / "cats", 10, generated=False)
    fill(tmp_path / "dogs/nested", 10, generated=True)
    prepare(PrepareOptions(source=None, out=tmp_path / "out", real=(tmp_path / "cats",), fake=(tmp_path / "dogs",)))
    records = read_manifest(tmp_path / "out")
    assert all(("dogs" in r.file) is r.generated for r in records)
    assert len(records) == 20


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    real = fill(tmp_path / "in/real", 10, generated=False)
    fake = fill(tmp_path / "in/fake", 10, generated=True)
    (tmp_path / "in/real/notes.txt").write_text("not a picture")
    (tmp_path / "in/real/empty.png").touch()
    whole = real[0].read_bytes()
    (tmp_path / "in/real/broken.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(real[1], tmp_path / "in/real/copy.png")
    shutil.copy(real[2], tmp_path / "in/fake/contradiction.png")
    (tmp_path / "in/fake/link.png").symlink_to(fake[0])
    prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out"))
    why = dropped(tmp_path / "out")
    assert why["notes.txt"] == "not-a-picture"
    assert why["empty.png"] == "empty"
    assert why["broken.png"] in ("truncated", "corrupt")
    assert why["copy.png"] == "duplicate" or why["1.png"] == "duplicate"
    assert why["contradiction.png"] == why["2.png"] == "label-conflict"
    names = {Path(r.file).name for r in read_manifest(tmp_path / "out") if not r.generated}
    assert not names & {"notes.txt", "empty.png", "broken.png", "2.png", "link.png"}
    summary = json.loads((tmp_path / "out/prepare.json").read_text())
    assert sum(summary["dropped"].values()) == len(why)


def test_near_duplicates_leave_train_and_stay_in_test(tmp_path: Path) -> None:
    for split, start in (("train", 0), ("test", 100)):
        fill(tmp_path / "in" / split / "real", 6, generated=False, start=start)
        fill(tmp_path / "in" / split / "fake", 6, generated=True, start=start)
    picture = draw(100, generated=False).resize((80, 66), Image.Resampling.LANCZOS)
    picture.save(tmp_path / "in/train/real/smaller.jpg", quality=80)
    prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out", val=0))
    assert dropped(tmp_path / "out") == {"smaller.jpg": "near-duplicate"}
    assert any(r.file.endswith("test/real/100.png") for r in read_manifest(tmp_path / "out"))


def manifest_of_sources(tmp_path: Path, sources: int = 10, pictures: int = 4) -> Path:
    rows = []
    for source in range(sources):
        for generated in (False, True):
            folder = tmp_path / f"in/{source}-{generated}"
            for path in fill(folder, pictures, generated=generated, start=100 * source):
                label = "fake" if generated else "nature"
                rows.append([path.relative_to(tmp_path).as_posix(), label, f"source {source}-{generated}"])
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "source"], *rows])
    return tmp_path / "list.csv"


def test_a_manifest_is_split_by_its_sources(tmp_path: Path) -> None:
    prepare(PrepareOptions(source=manifest_of_sources(tmp_path), out=tmp_path / "out", val=0.2, test=0.2))
    records = read_manifest(tmp_path / "out")
    splits: dict[str, set[Split | None]] = {}
    for record in records:
        splits.setdefault(record.source, set()).add(record.split)
    assert all(len(found) == 1 for found in splits.values())
    assert by_split(records) == {
        ("train", "real"): 24, ("val", "real"): 8, ("test", "real"): 8,
        ("train", "ai-generated"): 24, ("val", "ai-generated"): 8, ("test", "ai-generated"): 8,
    }  # fmt: skip


def test_fake_ratio_thins_train_evenly_over_sources_and_repeats(tmp_path: Path) -> None:
    source = manifest_of_sources(tmp_path)
    kept = []
    for run in ("one", "two"):
        options = PrepareOptions(source=source, out=tmp_path / run, val=0.2, test=0.2, fake_ratio=0.25)
        kept.append(data_hash(prepare(options).records))
    assert kept[0] == kept[1]
    records = read_manifest(tmp_path / "one")
    counts = by_split(records)
    assert counts["train", "ai-generated"] == 6
    assert counts["train", "real"] == 24
    assert counts["test", "ai-generated"] == 8
    per_source = Counter(r.source for r in records if r.generated and r.split is Split.TRAIN)
    assert set(per_source.values()) == {1}
    assert set(dropped(tmp_path / "one").values()) == {"fake-ratio"}


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 exist on POSIX alone")
def test_names_that_are_not_utf8_survive_the_manifest(tmp_path: Path) -> None:
    fill(tmp_path / "in/real", 6, generated=False)
    fill(tmp_path / "in/fake", 6, generated=True)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/in/real/odd\xff,\n.png")
    draw(50, generated=False).save(odd)
    prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "out"))
    assert odd in {record.file for record in read_manifest(tmp_path / "out")}


def test_a_prepared_folder_is_not_replaced_unasked(tmp_path: Path) -> None:
    fill(tmp_path / "in/real", 6, generated=False)
    fill(tmp_path / "in/fake", 6, generated=True)
    options = PrepareOptions(source=tmp_path / "in", out=tmp_path / "in/out")
    prepare(options)
    with pytest.raises(UsageError, match="--overwrite"):
        prepare(options)
    again = prepare(PrepareOptions(source=tmp_path / "in", out=tmp_path / "in/out", overwrite=True))
    assert len(again.records) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": None}, "either a folder"),
        ({"source": Path("x"), "real": (Path("y"),)}, "either a folder"),
        ({"source": None, "real": (Path("y"),)}, "go together"),
        ({"source": Path("x"), "val": 0.6, "test": 0.4}, "leave something"),
        ({"source": Path("x"), "fake_ratio": 0}, "--fake-ratio"),
        ({"source": Path("x"), "near": 20}, "--near"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PrepareOptions(out=Path("out"), **options)  # type: ignore[arg-type]


def test_a_source_that_is_no_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"tar")
    for name in ("x.tar", "missing"):
        with pytest.raises(InputError, match=name):
            prepare(PrepareOptions(source=tmp_path / name, out=tmp_path / "out"))


def test_a_hostile_zip_writes_nothing_outside(tmp_path: Path) -> None:
    fill(tmp_path / "in/real", 2, generated=False)
    archive = zipped(tmp_path / "in", tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as bundle:
        bundle.writestr("../../evil.png", b"evil")
    with pytest.raises(InputError, match="outside the target"):
        prepare(PrepareOptions(source=archive, out=tmp_path / "work/out"))
    assert not list(tmp_path.rglob("evil.png"))


def test_manifests_of_another_form_are_refused_by_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for text, message in (
        ("name,label\na,real\n", "'file'"),
        ("file,label\na.png,dog\n", "line 2.*'dog'"),
        ("file,label,split\na.png,real,holdout\n", "line 2.*'holdout'"),
        ("file,label\na.png,real\n", "no split"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_manifest(path)


def test_a_manifest_can_be_moved_with_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "before"
    (paths := fill(folder / "pictures", 2, generated=False))
    records = [Record(str(path), Class.REAL, Split.TRAIN) for path in paths]
    write_manifest(folder / "manifest.csv", records)
    folder.rename(tmp_path / "after")
    moved = read_manifest(tmp_path / "after")
    assert all(Path(record.file).exists() for record in moved)
