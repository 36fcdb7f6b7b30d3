"""The review sheet as a file: what it holds, how it keeps hostile text inert, and how it stays bounded."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scanner.baseline import Decided
from scanner.engine.wire import Drawn
from scanner.errors import ReportError
from scanner.records import (
    Decision,
    Declared,
    Evidence,
    Failure,
    FileResult,
    Label,
    Reason,
    RunInfo,
    Stage,
    Status,
    Trust,
)
from scanner.report import writer
from scanner.report.html_report import HtmlReport
from scanner.report.page_settings import PageSettings, byte_limit
from scanner.summary import Tally
from tests.fakes import MemoryOutput

RUN = RunInfo(
    version="1.2.3",
    command=("dfscan", "my photos", "-o", "x.html"),
    started="2026-11-24T18:30:05Z",
    model="default@0123456789ab",
    provider="CPUExecutionProvider",
    device="cpu",
    threshold=0.874,
    unsure_from=0.612,
    expected_fpr=0.01,
    workers=2,
    batch_size=8,
    options={"flag": "unsure", "trust": "all", "model": "./my model"},
)


class Parsed(HTMLParser):
    """Scripts, images, policy and text of a page, as an HTML parser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: dict[str, str] = {}
        self.code: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.policy = ""
        self.style = ""
        self.text = ""
        self._open: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        if tag in ("script", "style"):
            self._open = [tag, found.get("id")]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._open = []

    def handle_data(self, data: str) -> None:
        match self._open:
            case ["script", None]:
                self.code.append(data)
            case ["script", str(name)]:
                self.blocks[name] = self.blocks.get(name, "") + data
            case ["style", _]:
                self.style += data
            case _:
                self.text += f"{data} "

    def json(self, name: str) -> Any:
        return json.loads(self.blocks[f"dfscan-{name}"])


def page(results: list[FileResult], run: RunInfo = RUN, **settings: Any) -> tuple[Parsed, MemoryOutput]:
    output = MemoryOutput()
    report = HtmlReport(output, PageSettings(**settings))
    report.begin(run)
    tally = Tally(clock=lambda: 0.0)
    for result in results:
        tally.add(result)
        report.add(result)
    report.finish(tally.summary(expected_fpr=run.expected_fpr))
    return Parsed(output.data.decode("utf-8")), output


def scanned(path: str = "a.jpg", probability: float = 0.5, **changes: Any) -> FileResult:
    label = Label.AI_GENERATED if probability >= 0.874 else Label.UNSURE if probability >= 0.612 else Label.REAL
    fields: dict[str, Any] = {
        "label": label,
        "probability": probability,
        "threshold": 0.874,
        "logit": 1.25,
        "flagged": label is Label.AI_GENERATED,
        "width": 80,
        "height": 60,
        "format": "JPEG",
        "bytes": 100,
        "sha256": "ab" * 32,
        "mtime_ns": 10**18,
        "model": RUN.model,
    }
    return FileResult(path, Status.SCANNED, **{**fields, **changes})


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (80, 60), **changes: Any) -> FileResult:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=92)
    path.write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    return scanned(str(path), **{"sha256": digest, "bytes": buffer.tell(), **changes})


def test_page_is_what_dash_o_html_writes() -> None:
    report = writer(".html", MemoryOutput())
    assert isinstance(report, HtmlReport)
    report.discard()


def test_records_are_held_whole() -> None:
    evidence = Evidence("c2pa", Declared.AI_GENERATED, "Firefly", "claim", Trust.SIGNED)
    failure = Failure(Stage.DECODE, Reason.TRUNCATED, "cut short")
    given_ = [
        scanned("b/å.jpg", 0.93, evidence=(evidence,), declared=Declared.AI_GENERATED, reasons=("pixels", "declared")),
        scanned("zero.jpg", 0.0, logit=0.0),
        FileResult("broken.jpg", Status.FAILED, error=failure, bytes=0),
    ]
    records = page(given_)[0].json("records")
    absent = (None, [], False)
    expected = [
        {k: v for k, v in r.as_json().items() if not any(v is a or v == a != 0 for a in absent)} for r in given_
    ]
    for record, whole in zip(records, expected, strict=True):
        for key in ("schema", "model", "threshold"):  # in the run, or the page's own
            whole.pop(key, None)
        assert record == whole


def test_summary_is_readable_without_the_script() -> None:
    broken = FileResult("x", Status.FAILED, error=Failure(Stage.DECODE, Reason.EMPTY, ""))
    text = page([scanned(probability=0.95), scanned(probability=0.7), scanned(probability=0.1), broken] * 250)[0].text
    text = " ".join(text.split())
    assert "Found 1,000" in text and "Flagged 250" in text and "Failed 250" in text
    assert "labelled AI-generated from 87.4 % on, unsure from 61.2 %" in text
    assert (
        "were all 750 scanned pictures real, about 7.5 would still be labelled AI-generated (1 % of real pictures"
        in text
    )
    assert "Model default@0123456789ab" in text
    assert "Command dfscan 'my photos' -o x.html" in text
    assert "empty 250" in text


def test_a_threshold_set_by_hand_promises_no_rate_of_false_alarms() -> None:
    text = page([scanned()], replace(RUN, expected_fpr=None))[0].text
    assert "How many false alarms to expect is not known" in text


def test_histogram_shows_every_picture_and_the_threshold() -> None:
    html = page([scanned(probability=p) for p in (0.0, 0.011, 0.5, 0.7, 0.99, 1.0)])[1].data.decode()
    titles = re.findall(r"<rect.*?><title>(.*?)</title>", html)
    assert titles == ["0 to 2 %: 2 real", "50 to 52 %: 1 real", "70 to 72 %: 1 unsure", "98 to 100 %: 2 ai-generated"]
    assert 'class="threshold" x1="437.0"' in html and "threshold 87.4 %" in html


def test_an_empty_report_is_a_page_too() -> None:
    parsed, _ = page([])
    assert parsed.json("records") == [] and parsed.json("pictures") == {}
    assert "No picture has a probability." in parsed.text


HOSTILE = [
    "</script><script>window.pwned=1</script>.jpg",
    "<!--<script>",
    "]]>",
    '"><img src=x onerror=pwned()>',
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "a\u202egpj.exe",
    "line\nbreak\r\t\x1b[31m",
    "\u2028\u2029\x00\x7f",
    "' onload='x",
    "=cmd|'/c calc'!A0",
    "a\udcff\udc80.jpg",
    "&lt;&amp;",
    "<svg/onload=alert(1)>",
    "\\u003c/script>",
    "é" * 300,
]


def assert_inert(parsed: Parsed, text: str) -> None:
    """Nothing of `text` became markup: the page has the elements of any other page."""
    plain, _ = page([scanned("plain.jpg")])
    assert parsed.tags == plain.tags
    assert [name for name, _ in parsed.attributes] == [name for name, _ in plain.attributes]
    assert parsed.code == plain.code
    assert not [value for name, value in parsed.attributes if name.startswith("on")]
    assert parsed.json("records")[0]["path"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_metadata_are_text(text: str) -> None:
    evidence = Evidence("xmp", Declared.CAPTURED, text, text, Trust.UNSIGNED)
    failing = scanned(text, evidence=(evidence,), reasons=(text,), generator_hint=text, format=text)
    parsed, _ = page([failing], replace(RUN, command=(text,), model=failing.model), folder="")
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert_inert(parsed, shown)
    assert parsed.json("records")[0]["reasons"] == [text.encode("utf-8", "replace").decode()] or "\udcff" in text


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_text_survives_and_stays_text(text: str) -> None:
    evidence = Evidence("xmp", None, None, f"d{text}", Trust.UNSIGNED)
    parsed, _ = page([scanned(text, evidence=(evidence,))])
    assert_inert(parsed, text)
    assert parsed.json("records")[0]["evidence"][0]["detail"] == f"d{text}"


def test_policy_allows_this_pages_own_script_and_style_only() -> None:
    parsed, _ = page([scanned()])
    (code,) = parsed.code
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (parsed.style, code)]
    assert parsed.policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not [value for name, value in parsed.attributes if name in ("src", "style")]
    assert "http" not in "".join(str(value) for name, value in parsed.attributes if name in ("href", "action"))


def test_links_lead_to_the_files_whatever_they_are_called(tmp_path: Path) -> None:
    for name, link in [
        ("in/a b#1?.jpg", "./../in/a%20b%231%3F.jpg"),
        ("javascript:alert(1)", "./../javascript%3Aalert%281%29"),
        ("n\udcff.jpg", "./../n%FF.jpg"),
    ]:
        result = scanned(str(tmp_path / name))
        assert page([result], folder=str(tmp_path / "reports"))[0].json("records")[0]["href"] == link
    assert "href" not in page([scanned()])[0].json("records")[0]


def test_the_reproducing_command_names_all_that_the_verdict_depends_on() -> None:
    held = page([scanned()])[0].json("page")
    assert held["reproduce"] == (
        "dfscan scan --no-cache --model './my model' --flag unsure --threshold 0.874 --unsure-from 0.612"
    )


def test_thumbnails_flagged_first_and_no_more_than_asked(tmp_path: Path) -> None:
    chances = [0.2, 0.95, 0.7, 0.05, 0.9]
    results = [picture(tmp_path / f"{n}.jpg", n, probability=p) for n, p in enumerate(chances)]
    results[3] = replace(results[3], flagged=True, declared=Declared.AI_GENERATED)
    for count, chosen in [
        (0, set()),
        (2, {"1", "4"}),
        (3, {"1", "4", "3"}),
        (4, {"1", "4", "3", "2"}),
        (9, set("01234")),
    ]:
        pictures = page(results, thumbnails=count)[0].json("pictures")
        assert set(pictures) == chosen
        assert all(entry["src"].startswith("data:image/jpeg;base64,") for entry in pictures.values())


def test_a_thumbnail_is_the_picture_itself(tmp_path: Path) -> None:
    left_red = np.zeros((60, 90, 3), np.uint8)
    left_red[:, :45, 0] = 255
    path = tmp_path / "x.png"
    Image.fromarray(left_red).save(path)
    result = scanned(str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    source = page([result])[0].json("pictures")["0"]["src"]
    with Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as shown:
        pixels = np.asarray(shown.convert("RGB"))
    assert pixels.shape == (60, 90, 3)
    assert pixels[30, 10, 0] > 200 and pixels[30, 80, 0] < 50


def test_another_picture_is_never_shown_under_an_old_verdict(tmp_path: Path) -> None:
    changed, gone = picture(tmp_path / "changed.jpg", 1), picture(tmp_path / "gone.jpg", 2)
    picture(tmp_path / "changed.jpg", 3)
    (tmp_path / "gone.jpg").unlink()
    assert page([changed, gone])[0].json("pictures") == {
        "0": {"why": "the file is not the one that was scanned"},
        "1": {"why": "no longer readable here (vanished)"},
    }


def test_paths_are_read_from_the_root_given(tmp_path: Path) -> None:
    result = replace(picture(tmp_path / "a.jpg"), path="a.jpg")
    parsed, _ = page([result], root=str(tmp_path), folder=str(tmp_path))
    assert parsed.json("pictures")["0"]["src"]
    assert parsed.json("records")[0]["href"] == "./a.jpg"
    assert parsed.json("records")[0]["path"] == "a.jpg"


def test_pictures_that_came_with_the_scan_are_shown_without_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.engine.child_process.ChildProcess.open", lambda self: pytest.fail("decoded again"))
    jpegs = [b"first </script>", b"second"]
    results = [scanned(str(tmp_path / f"{n}.jpg"), thumbnail=jpeg) for n, jpeg in enumerate(jpegs)]
    pictures = page(results)[0].json("pictures")
    assert [
        base64.b64decode(pictures[str(n)]["src"].removeprefix("data:image/jpeg;base64,")) for n in range(2)
    ] == jpegs


def test_pictures_of_both_kinds_stand_at_their_own_records(tmp_path: Path) -> None:
    results = [picture(tmp_path / f"{n}.jpg", n, probability=n / 10) for n in range(4)]
    results[1], results[2] = (replace(results[n], thumbnail=f"came {n}".encode()) for n in (1, 2))
    (tmp_path / "3.jpg").unlink()
    pictures = page(results, thumbnails=3)[0].json("pictures")
    assert set(pictures) == {"1", "2", "3"}
    assert [base64.b64decode(pictures[n]["src"].split(",")[1]) for n in "12"] == [b"came 1", b"came 2"]
    assert pictures["3"] == {"why": "no longer readable here (vanished)"}


def test_a_page_of_a_thousand_pictures_stays_below_15_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def largest(results: Iterable[FileResult], limit: int, limits: object) -> Iterator[Drawn]:
        for _ in results:
            yield Drawn(jpeg=b"x" * limit)

    monkeypatch.setattr("scanner.report.html_report.thumbnails", largest)
    evidence = (Evidence("c2pa", Declared.AI_GENERATED, "A generator", "d" * 300, Trust.SIGNED),) * 2
    results = [scanned(f"in/some/folder/of/a/desk/IMG_{n}.jpg", 0.99, evidence=evidence) for n in range(1000)]
    largest_of_a_scan = [replace(result, thumbnail=b"x" * byte_limit(1000)) for result in results]
    for given_ in (results, largest_of_a_scan):
        parsed, output = page(given_)
        assert len(parsed.json("pictures")) == 1000
        assert 12_000_000 < len(output.data) < 15_000_000
        assert max(output.writes) < 200_000  # never assembled in memory


def test_memory_does_not_grow_with_the_records() -> None:
    def peak(count: int) -> int:
        output = MemoryOutput()
        report = HtmlReport(output, PageSettings(most_records=50, thumbnails=20))
        report.begin(RUN)
        tracemalloc.start()
        for number in range(count):
            report.add(scanned(f"{number}.jpg", (number * 7919 % 1000) / 1000, thumbnail=bytes(9000)))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        report.discard()
        return most

    peak(100)
    assert peak(4000) < peak(400) * 1.5 + 20_000


def test_beyond_its_limit_the_page_keeps_what_matters_most_and_says_so() -> None:
    broken = FileResult("broken.jpg", Status.FAILED, error=Failure(Stage.DECODE, Reason.EMPTY, ""))
    skipped = FileResult("notes.txt", Status.SKIPPED, error=Failure(Stage.DECODE, Reason.NOT_A_PICTURE, ""))
    declared = scanned("declared.jpg", 0.01, flagged=True, declared=Declared.AI_GENERATED)
    results = [scanned(f"{n}.jpg", n / 1000) for n in range(500)]
    results[100:100] = [skipped, declared, broken, scanned("unsure.jpg", 0.7), scanned("ai.jpg", 0.99)]
    parsed, _ = page(results, most_records=6)
    assert [record["path"] for record in parsed.json("records")] == [
        "declared.jpg",
        "broken.jpg",
        "unsure.jpg",
        "ai.jpg",
        "498.jpg",
        "499.jpg",
    ]
    assert parsed.json("page")["left_out"] == 499
    assert "Found 505" in " ".join(parsed.text.split())


def test_long_metadata_is_cut_and_says_so() -> None:
    evidence = Evidence("png-text", None, None, "x" * 50_000, Trust.UNSIGNED)
    record = page([scanned(evidence=(evidence,) * 99)])[0].json("records")[0]
    assert len(record["evidence"]) == 30
    assert record["evidence"][0]["detail"].endswith("x… (48,000 more signs in the JSONL report)")


def test_decisions_made_earlier_are_in_the_page() -> None:
    row = Decided("ab" * 32, Decision.REAL, "a.jpg", "2026-11-01T00:00:00Z", "</script>")
    held = page([scanned()], decisions={row.sha256: row})[0].json("page")
    assert held["decisions"] == {"ab" * 32: ["real", "2026-11-01T00:00:00Z", "</script>", "a.jpg"]}


def test_the_same_files_give_the_same_page_identity() -> None:
    one, other = [scanned("a.jpg"), scanned("b.jpg")], [scanned("a.jpg"), scanned("c.jpg")]
    identity = page(one)[0].json("page")["id"]
    assert page([replace(result, cached=True) for result in one])[0].json("page")["id"] == identity
    assert page(other)[0].json("page")["id"] != identity


class Spots:
    """A source of heat maps: a hot upper left quarter for one picture, none for the others."""

    def heatmap(self, result: FileResult) -> np.ndarray | None:
        if "hot" not in result.path:
            return None
        heat = np.zeros((8, 8), np.float32)
        heat[:4, :4] = 1
        return heat


def test_heat_maps_come_along_where_there_are_any(tmp_path: Path) -> None:
    results = [picture(tmp_path / "hot.jpg", 1), picture(tmp_path / "cold.jpg", 2)]
    pictures = page(results, heatmaps=Spots())[0].json("pictures")
    assert "heat" not in pictures["1"]
    with Image.open(io.BytesIO(base64.b64decode(pictures["0"]["heat"].split(",")[1]))) as overlay:
        alpha = np.asarray(overlay)[..., 3]
    assert alpha[:4, :4].min() > 200 and alpha[4:, 4:].max() == 0


def test_nothing_is_left_of_a_page_that_was_given_up() -> None:
    output = MemoryOutput()
    report = HtmlReport(output)
    report.begin(RUN)
    report.add(scanned())
    report.discard()
    assert output.data == b"" and not output.committed


def test_a_page_without_conditions_is_refused() -> None:
    with pytest.raises(ReportError):
        HtmlReport(MemoryOutput()).finish(Tally().summary(expected_fpr=None))
