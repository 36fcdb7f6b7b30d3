"""A headless Chromium, and pages made of generated pictures for it to show."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.records import Declared, Evidence, Failure, FileResult, Label, Reason, RunInfo, Stage, Status, Trust
from scanner.report.atomic import open_output
from scanner.report.html_report import HtmlReport
from scanner.report.page_settings import PageSettings
from scanner.summary import Tally

CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-dev-shm-usage",
    "--disable-features=OptimizationHints,MediaRouter",
    "--disable-sync",
    "--no-first-run",
]

RUN = RunInfo(
    version="0.1.0",
    command=("dfscan", "photo desk/in", "-o", "report.html"),
    started="2026-11-24T18:30:05Z",
    model="default@3f9ad0c1b2e4",
    provider="CPUExecutionProvider",
    device="cpu",
    threshold=0.874,
    unsure_from=0.612,
    expected_fpr=0.01,
    workers=4,
    batch_size=8,
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (group `browser`)")
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no Chromium at {CHROMIUM} (TEST_CHROMIUM names another one)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


class Visit:
    """A page that was opened, with everything that it asked for or complained about."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))

    @property
    def outside(self) -> list[str]:
        """Requests for anything but the page itself and what it holds."""
        return [url for url in self.requests[1:] if not url.startswith(("data:", "blob:"))]


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Opens a page from the file system; the browser's profile lasts as long as the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)

    def open_(path: Path) -> Visit:
        visit = Visit(context.new_page())
        visit.page.goto(path.as_uri())
        visit.page.wait_for_selector("html[data-ready]", state="attached")
        return visit

    yield open_
    context.close()


def scene(seed: int, width: int = 640, height: int = 426) -> bytes:
    """A generated picture, JPEG: hills under a sky, every seed another one."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    random = np.random.default_rng(seed)
    top, bottom = random.integers(30, 200, 3), random.integers(120, 255, 3)
    fade = np.linspace(0, 1, height)[:, None, None]
    image = Image.fromarray(np.broadcast_to(top * (1 - fade) + bottom * fade, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x, y, r = random.integers(40, width - 40), random.integers(30, height // 2), random.integers(12, 42)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 244, int(random.integers(150, 240))))
    across = np.arange(0, width + 8, 8)
    for layer in range(4):
        waves = sum(
            np.sin(across / random.uniform(25, 160) + random.uniform(0, 6)) * random.uniform(4, 30) for _ in range(3)
        )
        line = height * (0.5 + 0.13 * layer) + waves
        shade = tuple(int(c * (0.75 - 0.16 * layer)) for c in bottom)
        draw.polygon([(0, height), *zip(across.tolist(), line.tolist(), strict=True), (width, height)], fill=shade)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    noise = random.normal(0, 5, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


C2PA = Evidence(
    "c2pa", Declared.AI_GENERATED, "Adobe Firefly", "claim by Adobe Inc., trainedAlgorithmicMedia", Trust.SIGNED
)
XMP = Evidence("xmp", Declared.AI_EDITED, "Google AI", "Credit: Edited with Google AI", Trust.UNSIGNED)
EXIF = Evidence("exif", Declared.CAPTURED, None, "Canon EOS R6, 2026-10-02, 1/250 s, f/4, ISO 400", Trust.UNSIGNED)
TEXT = Evidence(
    "png-text",
    Declared.AI_GENERATED,
    "Stable Diffusion WebUI",
    "parameters: a quiet valley, evening light\nSteps: 28, Sampler: DPM++ 2M, CFG scale: 6",
    Trust.UNSIGNED,
)


def make_result(number: int, path: str, data: bytes, **changes: Any) -> FileResult:
    """A scanned record; the number decides its score and evidence, so that every kind turns up."""
    probability = round(((number * 7919) % 1000 / 1000) ** 3, 6)
    label = Label.AI_GENERATED if probability >= 0.874 else Label.UNSURE if probability >= 0.612 else Label.REAL
    evidence = {0: (EXIF,), 3: (EXIF,), 5: (TEXT,), 8: (C2PA,), 11: (XMP, EXIF), 17: (EXIF,)}.get(number % 20, ())
    declared = evidence[0].claim if evidence else None
    reasons = (
        (f"pixels: probability {probability:.3f} at or above the threshold 0.874",)
        if label is Label.AI_GENERATED
        else ()
    )
    if declared is Declared.AI_GENERATED:
        reasons += (f"declared: {evidence[0].source} ({evidence[0].trust.value})",)
    fields: dict[str, Any] = {
        "label": label,
        "probability": probability,
        "threshold": 0.874,
        "logit": round(probability * 12 - 6, 4),
        "flagged": label is Label.AI_GENERATED or declared is Declared.AI_GENERATED,
        "declared": declared,
        "reasons": reasons,
        "evidence": evidence,
        "width": 640,
        "height": 426,
        "format": "JPEG",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "mtime_ns": (1_790_000_000 + number * 5377) * 1_000_000_000,
        "model": RUN.model,
        "cached": number % 4 == 0,
    }
    return FileResult(path, Status.SCANNED, **{**fields, **changes})


FOLDERS = ("in/agency north", "in/agency north/sports", "in/readers", "in/readers/2026-11", "in/archive")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[FileResult]]:
    """A folder of 90 generated pictures and their records, with failed and skipped ones among them."""
    root = tmp_path_factory.mktemp("desk")
    results = []
    for number in range(90):
        path = root / FOLDERS[number % 5] / f"IMG_{4000 + number * 13}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = ((640, 426), (426, 640), (640, 360))[number % 7 % 3]
        data = scene(number, *size)
        path.write_bytes(data)
        results.append(make_result(number, str(path.relative_to(root)), data, width=size[0] * 6, height=size[1] * 6))
    broken = Failure(Stage.DECODE, Reason.TRUNCATED, "image file is truncated (12 bytes not processed)")
    results.append(FileResult("in/readers/broken.jpg", Status.FAILED, error=broken, bytes=20133))
    note = Failure(Stage.DECODE, Reason.NOT_A_PICTURE, "no picture format by content")
    results.append(FileResult("in/readers/notes.txt", Status.SKIPPED, error=note, bytes=812))
    return root, results


def make_page(target: Path, results: list[FileResult], **settings: Any) -> Path:
    """The page of these records, through the writer that `-o report.html` uses."""
    report = HtmlReport(open_output(str(target)), PageSettings(folder=str(target.parent), **settings))
    report.begin(RUN)
    tally = Tally()
    for item in results:
        tally.add(item)
        report.add(item)
    report.finish(replace(tally.summary(expected_fpr=RUN.expected_fpr), seconds=41.7))
    return target


@pytest.fixture(scope="session")
def sheet(desk: tuple[Path, list[FileResult]]) -> Path:
    """The review sheet of the desk's pictures."""
    root, results = desk
    with contextlib.chdir(root):
        return make_page(root / "report.html", results)


@pytest.fixture(name="result", scope="session")
def result_() -> Callable[..., FileResult]:
    """Makes a scanned record: `result(number, path, data, **changes)`."""
    return make_result


@pytest.fixture(name="write_page", scope="session")
def write_page_() -> Callable[..., Path]:
    """Writes a page: `write_page(target, results, **settings)`."""
    return make_page
