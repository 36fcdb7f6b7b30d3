"""The review sheet in a real browser: what a person sees, does with the keys, and takes home."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scanner.baseline import Decided, read_decisions
from scanner.records import Decision, Declared, Evidence, Failure, FileResult, Label, Reason, Stage, Status, Trust

pytestmark = pytest.mark.browser
Visitor = Callable[..., Any]


def until(page: Any, expression: str) -> None:
    """Wait until it holds; Playwright's own wait_for_function evaluates text, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never held that {expression}")


def names(page: Any) -> list[str]:
    return page.locator(".card .name").all_text_contents()


def current(page: Any) -> str:
    return page.locator(".card.current .name").text_content()


def pressed(page: Any, name: str) -> str | None:
    """The mark on a card."""
    card = page.locator(".card", has=page.get_by_text(name, exact=True))
    marks = card.locator('.marks [aria-pressed="true"]').all()
    return marks[0].text_content() if marks else None


def export(page: Any, kind: str) -> str:
    page.locator("#decisions-menu > summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Export as {kind}").click()
    page.keyboard.press("Escape")
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_loads_from_a_file_asks_for_nothing_and_complains_of_nothing(sheet: Path, visit: Visitor) -> None:
    visited = visit(sheet)
    visited.page.locator(".card .open").first.click()
    visited.page.keyboard.press("End")
    until(visited.page, "[...document.images].filter((image) => image.complete && image.naturalWidth).length > 20")
    assert visited.outside == []
    assert visited.complaints == []
    assert visited.page.title() == "dfscan: 11 of 92 flagged"


def test_flagged_come_first_and_every_card_says_why(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    assert page.locator(".card .flag").count() == 11
    first = page.locator(".card").first
    assert first.locator(".verdict").inner_text().split() == ["AI-generated", "93.5", "%"]
    assert first.locator(".name").text_content() == "IMG_4806.jpg"
    labels = page.locator(".card .open").evaluate_all("(cards) => cards.map((card) => card.getAttribute('aria-label'))")
    assert labels[1] == "IMG_4325.jpg, AI-generated, 92.7 %, flagged, declared AI-generated"


def test_filters_work_alone_and_together(sheet: Path, visit: Visitor, desk: tuple[Path, list[FileResult]]) -> None:
    page = visit(sheet).page
    page.select_option("#page-size", "120")
    results = desk[1]

    def expect(test: Callable[[FileResult], bool]) -> None:
        wanted = {Path(result.path).name for result in results if test(result)}
        assert wanted and set(names(page)) == wanted
        assert page.locator("#matches").text_content() == f"{len(wanted)} of 92"

    page.get_by_role("button", name="Unsure", exact=False).first.click()
    expect(lambda r: r.label is Label.UNSURE)
    page.select_option("#folder", "in/readers")
    expect(lambda r: r.label is Label.UNSURE and r.path.startswith("in/readers/"))
    page.locator('[data-chip="all"]').click()
    expect(lambda r: r.path.startswith("in/readers/"))
    page.select_option("#folder", "")
    page.select_option("#evidence", "signed")
    expect(lambda r: any(evidence.trust is Trust.SIGNED for evidence in r.evidence))
    page.select_option("#evidence", "conflict")
    expect(lambda r: r.label is Label.REAL and r.declared is Declared.AI_GENERATED)
    page.select_option("#evidence", "all")
    page.fill("#search", "canon SPORTS")
    until(page, "document.querySelectorAll('.card').length < 20")
    expect(lambda r: "sports" in r.path and any("Canon" in evidence.detail for evidence in r.evidence))
    page.fill("#search", "no such picture")
    page.get_by_text("No picture matches these filters.").wait_for()


def test_the_numbers_on_the_chips_follow_the_other_filters(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.select_option("#evidence", "signed")
    chips = page.locator(".chip").evaluate_all(
        "(chips) => chips.map((chip) => [...chip.childNodes].map((n) => n.textContent))"
    )
    assert chips == [
        ["All", "5"],
        ["Flagged", "5"],
        ["AI-generated", "0"],
        ["Unsure", "1"],
        ["Real", "4"],
        ["Failed", "0"],
        ["Skipped", "0"],
    ]


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("high", lambda r: -(r.probability if r.probability is not None else -1)),
        ("low", lambda r: r.probability if r.probability is not None else 2),
        ("path", lambda r: r.path),
        ("newest", lambda r: -(r.mtime_ns or 0)),
        ("near", lambda r: 2 if r.probability is None else abs(r.probability - 0.874)),
    ],
)
def test_sorting(
    sheet: Path, visit: Visitor, desk: tuple[Path, list[FileResult]], order: str, key: Callable[[FileResult], Any]
) -> None:
    page = visit(sheet).page
    page.select_option("#page-size", "120")
    page.select_option("#sort", order)
    assert names(page) == [Path(result.path).name for result in sorted(desk[1], key=key)]


def test_a_review_by_keyboard_survives_a_reload_and_goes_out_as_csv_and_json(
    sheet: Path, visit: Visitor, desk: tuple[Path, list[FileResult]], tmp_path: Path
) -> None:
    page = visit(sheet).page
    order = names(page)
    for key in ("a", "r", "j", "u", "ArrowRight", "r", "z"):
        page.keyboard.press(key)
    # a and r mark and move on, j steps over the third, u marks the fourth, the arrow steps over the fifth,
    # r marks the sixth, and z takes that back and returns to it.
    assert [pressed(page, name) for name in order[:6]] == ["AI", "Real", None, "Unsure", None, None]
    assert current(page) == order[5]
    assert page.locator("#reviewed-count").text_content() == "3 reviewed · 8 flagged to go"

    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("n")
    page.keyboard.type('=Odd "hands", said Ann')
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert [pressed(page, name) for name in order[:6]] == ["AI", "Real", None, "Unsure", None, None]

    (tmp_path / "d.csv").write_text(export(page, "CSV"), newline="")
    (tmp_path / "d.json").write_text(export(page, "JSON"))
    shas = {Path(result.path).name: result.sha256 for result in desk[1]}
    wanted = {shas[order[0]]: Decision.AI, shas[order[1]]: Decision.REAL, shas[order[3]]: Decision.UNSURE}
    from_csv, from_json = read_decisions(tmp_path / "d.csv"), read_decisions(tmp_path / "d.json")
    assert {sha: row.decision for sha, row in from_csv.items()} == wanted
    assert from_json[shas[order[3]]].note == '=Odd "hands", said Ann'
    assert from_csv[shas[order[3]]].note == '\'=Odd "hands", said Ann'  # disarmed for spreadsheets
    assert {sha: row.when for sha, row in from_csv.items()} == {sha: row.when for sha, row in from_json.items()}
    head, *rows = csv.reader(io.StringIO((tmp_path / "d.csv").read_text()))
    assert head == ["sha256", "path", "decision", "when", "note"]
    assert all(row[1].startswith("in/") and row[3].endswith("Z") for row in rows)


def test_the_same_key_again_takes_a_mark_away(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.keyboard.press("r")
    page.keyboard.press("k")
    page.keyboard.press("r")
    assert page.locator('.marks [aria-pressed="true"]').count() == 0
    assert json.loads(export(page, "JSON")) == {"decisions": []}


def test_decisions_survive_a_reload_where_the_browser_denies_storage(sheet: Path, browser: Any, tmp_path: Path) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(sheet.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    name = current(page)
    page.keyboard.press("a")
    page.locator("#decisions-menu > summary").click()
    assert "export before you close it" in page.locator("#storage-hint").inner_text()
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert pressed(page, name) == "AI"
    assert asked == ["beforeunload"]
    context.close()


def test_exported_decisions_can_be_loaded_into_another_page(
    sheet: Path, visit: Visitor, desk: tuple[Path, list[FileResult]], tmp_path: Path
) -> None:
    page = visit(sheet).page
    result = desk[1][0]
    rows = f'sha256,path,decision,when,note\r\n{result.sha256},x,real,2026-11-01T00:00:00Z,"two\r\nlines"\r\n'
    (tmp_path / "d.csv").write_text(rows, newline="")
    page.set_input_files("#import-file", tmp_path / "d.csv")
    page.get_by_text("1 reviewed").wait_for()
    assert read_json(page)[0]["note"] == "two\r\nlines"
    page.select_option("#review", "real")
    assert names(page) == [Path(result.path).name]


def read_json(page: Any) -> list[dict[str, str]]:
    return json.loads(export(page, "JSON"))["decisions"]


def test_what_is_no_decisions_file_is_told(sheet: Path, visit: Visitor, tmp_path: Path) -> None:
    visited = visit(sheet)
    (tmp_path / "d.json").write_text("[]")
    visited.page.set_input_files("#import-file", tmp_path / "d.json")
    until(visited.page, "document.getElementById('import-file').value === ''")
    assert "d.json cannot be read as decisions" in visited.complaints[0]


def test_the_panel_tells_everything_and_gives_the_focus_back(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.fill("#search", "IMG_4104")
    until(page, "document.querySelectorAll('.card').length === 1")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    text = panel.inner_text()
    assert "IMG_4104.jpg" in text
    assert "below the threshold of 87.4 %" in text and "The two disagree: look closely." in text
    assert "c2pa says AI-generated · Adobe Firefly" in text and "a valid C2PA signature of a trusted signer" in text
    assert "in/readers/2026-11/IMG_4104.jpg" in text and "sha256 " in text and "Logit" in text
    command = panel.locator("#command").inner_text()
    assert command == (
        "dfscan scan --no-cache --threshold 0.874 --unsure-from 0.612 -- in/readers/2026-11/IMG_4104.jpg"
    )
    assert page.evaluate("document.activeElement.id") == "panel"
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    assert page.evaluate("document.activeElement.className").startswith("open")


def test_the_panel_follows_and_marks(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    order = names(page)
    page.locator(".card .open").nth(1).click()
    assert page.locator("#panel h2").inner_text() == order[1]
    page.keyboard.press("j")
    assert page.locator("#panel h2").inner_text() == order[2]
    page.locator("#panel").get_by_role("button", name="Real").click()
    assert pressed(page, order[2]) == "Real"
    assert page.locator("#panel h2").inner_text() == order[3]


def test_the_link_leads_to_the_file(sheet: Path, visit: Visitor, desk: tuple[Path, list[FileResult]]) -> None:
    page = visit(sheet).page
    page.locator(".card .open").first.click()
    url = page.locator("#panel").get_by_role("link", name="Open the file").evaluate("(link) => link.href")
    assert url == (desk[0] / "in/readers/IMG_4806.jpg").as_uri()


def test_a_file_that_was_not_read_cannot_be_decided(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.locator('[data-chip="failed"]').click()
    assert page.locator(".card .none").inner_text() == "truncated"
    page.keyboard.press("a")
    assert page.locator('.marks [aria-pressed="true"]').count() == 0
    assert page.locator(".marks button:disabled").count() == 3
    assert "was not read" in page.locator("#announce").text_content()


def test_ten_thousand_records_are_usable_at_once(visit: Visitor, tmp_path: Path, write_page: Any, result: Any) -> None:
    many = [result(n, f"in/{n % 40:02d}/IMG_{n:05d}.jpg", str(n).encode()) for n in range(10_000)]
    path = write_page(tmp_path / "many.html", many, thumbnails=0)
    visited = visit(path)
    page = visited.page
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    assert ready < 3000  # the promise to users, with a wide margin: milliseconds until the page answers
    assert page.locator(".card").count() == 60
    assert page.locator("#page-number").text_content() == "1 / 167"
    page.keyboard.press("End")
    assert page.locator("#page-number").text_content() == "167 / 167"
    page.keyboard.press("k")
    page.keyboard.press("a")
    page.fill("#search", "in/07 img_00007")
    until(page, "document.querySelectorAll('.card').length === 1")
    assert names(page) == ["IMG_00007.jpg"]
    assert visited.complaints == []


def test_pages_turn_with_the_arrows_and_the_buttons(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.select_option("#page-size", "30")
    page.get_by_role("button", name="Next page").first.click()
    assert page.locator("#page-number").text_content() == "2 / 4"
    page.keyboard.press("k")
    assert page.locator("#page-number").text_content() == "1 / 4"
    assert page.locator(".card").last.get_attribute("class") == "card current"


HOSTILE = [
    "</script><script>window.pwned=1</script>.jpg",
    "<img src=http://evil.example/x onerror=window.pwned=1>.jpg",
    "a\u202egpj.exe",
    "quote\"'`${window.pwned=1}.jpg",
    "line\nbreak\x1b[31m\x00.jpg",
    "<!--<script>",
    "javascript:alert(1)",
    "n\udcff\udcfe.jpg",
    "{{constructor.constructor('window.pwned=1')()}}",
    "=1+1.jpg",
    "',()=>1,'",
]


def test_hostile_names_and_metadata_are_only_text(visit: Visitor, tmp_path: Path, write_page: Any, result: Any) -> None:
    results = []
    for number, name in enumerate(HOSTILE):
        evidence = Evidence("xmp", Declared.CAPTURED, name, f"{name}\n<script>window.pwned=1</script>", Trust.UNSIGNED)
        item = result(number, f"in/{name}", name.encode("utf-8", "surrogateescape"))
        results.append(replace(item, evidence=(evidence,), generator_hint=name, format=name, reasons=(name,)))
    failure = Failure(Stage.DECODE, Reason.CORRUPT, "<script>window.pwned=1</script>")
    results.append(FileResult("in/<b>bold</b>", Status.FAILED, error=failure))
    visited = visit(write_page(tmp_path / "hostile.html", results))
    page = visited.page
    for position in range(len(results)):
        page.locator(".card .open").nth(position).click()
    assert page.evaluate("window.pwned") is None
    assert visited.outside == [] and visited.complaints == []
    assert page.locator("#cards script, #panel script, #cards b, #panel b").count() == 0
    assert page.locator("#cards img, #panel img").count() == 0
    shown = set(names(page))
    assert r"a\u202egpj.exe" in shown and r"line\x0abreak\x1b[31m\x00.jpg" in shown
    page.select_option("#sort", "path")
    page.locator(".card", has_text="fffe" if os.name == "nt" else "n��.jpg").locator(".open").click()
    assert page.locator("#command").inner_text().endswith(r"-- $'in/n\xff\xfe.jpg'")
    page.keyboard.press("a")
    assert any(row["path"].startswith("in/n") for row in read_json(page))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_serious(browser: Any, sheet: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    # The page's own policy would stop the checker's script; the checker sees the same document without it.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(sheet.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    found = axe.Axe().run(page).response["violations"]
    page.keyboard.press("a")
    page.locator(".card .open").nth(2).click()
    page.locator(".conditions > summary").evaluate("(summary) => summary.click()")
    found += axe.Axe().run(page).response["violations"]
    page.evaluate("document.getElementById('help').showModal()")
    found += axe.Axe().run(page).response["violations"]
    context.close()
    assert [(v["id"], v["impact"], [node["target"] for node in v["nodes"]][:3]) for v in found] == []


@pytest.mark.parametrize("width", [400, 700, 1280])
def test_nothing_is_wider_than_the_window(browser: Any, sheet: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(sheet.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".card .open").nth(1).click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("#panel").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    page.close()


def test_print_shows_all_matches_light_and_without_controls(browser: Any, sheet: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(sheet.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    for moment in ("beforeprint", "afterprint"):
        page.evaluate(
            f"addEventListener('{moment}', () => {{ window.{moment} = document.querySelectorAll('.card').length; }})"
        )
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate("beforeprint") == 92 and page.evaluate("afterprint") == 60
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for hidden in ("#filters", ".tools", ".pager >> nth=0"):
        assert page.locator(hidden).is_hidden()
    page.close()


def test_the_theme_can_be_chosen_and_is_kept(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme: Auto").click()
    page.get_by_role("button", name="Theme: Light").click()
    assert page.evaluate(background) != light
    page.reload()
    assert page.get_by_role("button", name="Theme: Dark").is_visible()


def test_a_heat_map_is_laid_over_the_picture_on_demand(
    visit: Visitor, desk: tuple[Path, list[FileResult]], write_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    class Corner:
        def heatmap(self, result: FileResult) -> Any:
            return np.pad(np.ones((3, 3), np.float32), ((0, 4), (0, 4))) if result.label is Label.AI_GENERATED else None

    root, results = desk
    monkeypatch.chdir(root)
    visited = visit(write_page(root / "heat.html", results[:80], heatmaps=Corner()))
    page = visited.page
    page.locator(".card .open").first.click()
    assert page.locator(".heat").count() == 0
    page.keyboard.press("h")
    until(page, "document.querySelector('.heat')?.naturalWidth === 7")
    page.locator("#panel").get_by_role("button", name="Heat map").click()
    assert page.locator(".heat").count() == 0
    page.locator(".card .open").last.click()
    assert page.locator("#panel").get_by_role("button", name="Heat map").count() == 0
    assert visited.complaints == []


def test_without_script_the_figures_are_still_there(browser: Any, sheet: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sheet.as_uri())
    text = page.locator("body").inner_text()
    assert "switched off" in text and "False alarms to expect" in text and "92\n" in text
    context.close()


def test_pictures_reviewed_before_begin_with_their_mark(
    visit: Visitor, tmp_path: Path, write_page: Any, result: Any
) -> None:
    known = result(1, "known.jpg", b"known", reviewed=Decision.REAL, flagged=False)
    noted = Decided(known.sha256, Decision.AI, "known.jpg", "2026-11-01T00:00:00Z", "from the file")
    page = visit(write_page(tmp_path / "r.html", [known, result(2, "new.jpg", b"new")])).page
    assert pressed(page, "known.jpg") == "Real" and pressed(page, "new.jpg") is None
    again = visit(write_page(tmp_path / "r2.html", [known], decisions={noted.sha256: noted})).page
    (row,) = read_json(again)
    assert (row["decision"], row["note"], row["when"]) == ("ai", "from the file", "2026-11-01T00:00:00Z")


def test_a_mark_made_in_one_tab_shows_in_the_other(sheet: Path, visit: Visitor) -> None:
    one, other = visit(sheet).page, visit(sheet).page
    name = current(one)
    one.keyboard.press("a")
    other.locator('.marks [aria-pressed="true"]').wait_for()
    assert pressed(other, name) == "AI"
    one.keyboard.press("z")
    other.locator('.marks [aria-pressed="true"]').wait_for(state="detached")


def test_all_decisions_can_be_cleared_and_brought_back(sheet: Path, visit: Visitor) -> None:
    page = visit(sheet).page
    page.keyboard.press("a")
    page.keyboard.press("r")
    page.evaluate("window.confirm = () => true")
    page.locator("#decisions-menu > summary").click()
    page.get_by_role("button", name="Clear all decisions").click()
    assert page.locator('.marks [aria-pressed="true"]').count() == 0
    page.keyboard.press("z")
    assert page.locator('.marks [aria-pressed="true"]').count() == 1


@pytest.mark.parametrize("width", [1280, 400])
def test_pictures_of_the_page_for_the_docs(browser: Any, sheet: Path, tmp_path: Path, width: int) -> None:
    """With TEST_SCREENSHOTS=docs/images the pictures in the docs are taken anew."""
    folder = Path(os.environ.get("TEST_SCREENSHOTS", tmp_path))
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(sheet.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    until(page, "[...document.images].filter((image) => image.complete && image.naturalWidth).length > 5")
    page.screenshot(path=folder / f"review-sheet-{width}.png")
    for key in ("a", "a", "r", "u", "k"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#panel img')?.naturalWidth > 0")
    page.screenshot(path=folder / f"review-sheet-{width}-details.png")
    page.close()
    for name in (f"review-sheet-{width}.png", f"review-sheet-{width}-details.png"):
        with Image.open(folder / name) as shot:
            assert shot.size == (width, 900)
            assert len(shot.convert("RGB").getcolors(1 << 24)) > 1000  # pictures, not an empty page
