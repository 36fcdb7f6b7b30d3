"""HTML: one self-contained review sheet; records wait in temporary files and are written in one pass at the end."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import heapq
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from scanner.engine.wire import Drawn
from scanner.errors import ReportError
from scanner.records import FileResult, Label, RunInfo, Status, Summary
from scanner.remote.urls import is_url
from scanner.report.heatmap import overlay
from scanner.report.histogram import Histogram
from scanner.report.interface import Output
from scanner.report.page_data import conditions, inert, page_record, relative_link, reproducing_command, sentences
from scanner.report.page_settings import PageSettings, byte_limit
from scanner.report.read_back import record_from_json
from scanner.report.thumbnail_store import ThumbnailStore
from scanner.report.thumbnails import thumbnails

if TYPE_CHECKING:
    from markupsafe import Markup

_SCRIPTS = ("data.js", "decisions.js", "filters.js", "cards.js", "panel.js", "main.js")
_WRITE_BYTES = 64 * 1024


class HtmlReport:
    """Writes the page. Memory holds the places of the records it will show, never all records."""

    def __init__(self, output: Output, settings: PageSettings | None = None) -> None:
        self._output = output
        self._settings = settings or PageSettings()
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish or discard
        self._thumbnails = ThumbnailStore(self._settings.thumbnails)
        self._kept: list[tuple[tuple[int, float], int, int]] = []
        """Heap of (importance, -number, offset in the spool), the least important first."""
        self._histogram = Histogram()
        self._identity = hashlib.sha256()
        self._count = 0
        self._run: RunInfo | None = None
        self.drawn = 0
        """Pictures that the page shows."""
        self.undrawn = 0
        """Pictures that it should show, and whose files are not there any more."""

    def begin(self, run: RunInfo) -> None:
        """Keep the conditions for the end."""
        self._run = run

    def add(self, result: FileResult) -> None:
        """Count a record, and put it aside if it may be shown."""
        self._histogram.add(result)
        self._identity.update(f"{result.path}\0{result.sha256}\0".encode("utf-8", "surrogateescape"))
        entry = (importance(result), -self._count, self._spool.tell())
        self._count += 1
        if len(self._kept) < self._settings.most_records:
            heapq.heappush(self._kept, entry)
        elif heapq.heappushpop(self._kept, entry) is entry:
            return
        try:
            self._spool.write(json.dumps(result.as_json()).encode("ascii") + b"\n")
            if result.thumbnail is not None:
                self._thumbnails.add(entry[:2], result.thumbnail)
        except OSError as error:
            raise _no_space(error) from error

    def finish(self, summary: Summary) -> None:
        """Write the page; pictures that did not come with the scan are read again."""
        try:
            if self._run is None:
                raise ReportError("the page's run was not begun")
            self._write(_template().generate(**self._context(self._run, summary)))
            self._output.commit()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _no_space(error) from error
        finally:
            self._close()

    def discard(self) -> None:
        """Leave no file behind."""
        self._close()
        self._output.discard()

    def _close(self) -> None:
        for file in (self._spool, self._thumbnails):
            with contextlib.suppress(OSError):  # what was not written yet, to a full disk
                file.close()

    def _write(self, pieces: Iterator[str]) -> None:
        buffer = bytearray()
        for piece in pieces:
            buffer += piece.encode("utf-8")
            if len(buffer) >= _WRITE_BYTES:
                self._output.write(bytes(buffer))
                buffer.clear()
        self._output.write(bytes(buffer))

    def _context(self, run: RunInfo, summary: Summary) -> dict[str, Any]:
        from markupsafe import Markup

        self._kept.sort(key=lambda entry: -entry[1])
        css, script = _file("page.css"), _script()
        chart = self._histogram.chart(run.threshold)
        started = run.started.replace("T", " ").replace("Z", " UTC")
        return {
            "title": f"dfscan: {summary.flagged:,} of {summary.found:,} flagged",
            "started": started,
            "run": run,
            "summary": summary,
            "sentences": sentences(run, summary),
            "conditions": conditions(run, summary, chart.total),
            "chart": chart,
            "csp": _policy(css, script),
            "css": Markup(css),
            "script": Markup(script),
            "page": Markup(inert(self._page(run))),
            "records": self._records(run),
            "pictures": self._pictures(),
        }

    def _page(self, run: RunInfo) -> dict[str, Any]:
        decided = self._settings.decisions.values()
        return {
            "id": self._identity.hexdigest()[:16],
            "threshold": run.threshold,
            "model": run.model,
            "separator": os.sep,
            "left_out": self._count - len(self._kept),
            "reproduce": reproducing_command(run),
            "decisions": {row.sha256: [row.decision.value, row.when, row.note, row.path] for row in decided},
        }

    def _results(self, numbers: list[int]) -> Iterator[FileResult]:
        """The kept records at these places of the page, read back one by one."""
        for number in numbers:
            self._spool.seek(self._kept[number][2])
            yield record_from_json(json.loads(self._spool.readline()))

    def _found(self, numbers: list[int]) -> Iterator[FileResult]:
        """The same, with paths as they lead to the files from here."""
        for result in self._results(numbers):
            yield replace(result, path=self._place(result))

    def _records(self, run: RunInfo) -> Iterator[Markup]:
        from markupsafe import Markup

        separator = "["
        for result in self._results(list(range(len(self._kept)))):
            yield Markup(f"{separator}\n{inert(page_record(result, run, self._link(result)))}")
            separator = ","
        yield Markup("]" if separator == "," else "[]")

    def _link(self, result: FileResult) -> str | None:
        return relative_link(self._place(result), self._settings.folder)

    def _place(self, result: FileResult) -> str:
        """The path as it leads to the file from here."""
        if is_url(result.path):
            return result.path
        return os.path.join(self._settings.root, result.path)  # noqa: PTH118 - as given

    def _pictures(self) -> Iterator[Markup]:
        """The most telling pictures as `{place in the page: {src, heat} or {why}}`."""
        from markupsafe import Markup

        order = sorted(range(len(self._kept)), key=lambda number: self._kept[number], reverse=True)
        scanned = [number for number in order if self._kept[number][0][0] not in (_FAILED, _SKIPPED)]
        chosen = scanned[: self._settings.thumbnails]
        drawn = thumbnails(self._at_hand(chosen), byte_limit(len(chosen)), self._settings.limits)
        separator = "{"
        for number, thumbnail in zip(chosen, drawn, strict=True):
            yield Markup(f'{separator}\n"{number}":{self._picture(number, thumbnail)}')
            separator = ","
        yield Markup("}" if separator == "," else "{}")

    def _at_hand(self, numbers: list[int]) -> Iterator[FileResult | Drawn]:
        """The pictures that came with the scan, and the records of the others."""
        for number in numbers:
            jpeg = self._thumbnails.get(number)
            if jpeg is None:
                yield from self._found([number])
            else:
                yield Drawn(jpeg=jpeg)

    def _picture(self, number: int, thumbnail: Drawn) -> str:
        """A picture's JSON; base64 holds no sign that a parser of HTML or JSON might take for its own."""
        if thumbnail.jpeg is None:
            self.undrawn += 1
            return inert({"why": thumbnail.why or ""})
        self.drawn += 1
        picture = f'"src":"data:image/jpeg;base64,{base64.b64encode(thumbnail.jpeg).decode("ascii")}"'
        heat = None
        if self._settings.heatmaps is not None:
            (result,) = self._found([number])
            heat = self._settings.heatmaps.heatmap(result)
        return f"{{{picture}}}" if heat is None else f'{{{picture},"heat":"{overlay(heat)}"}}'


_FLAGGED, _FAILED, _SKIPPED = 5, 2, 0
_LABELS = {Label.AI_GENERATED: 4, Label.UNSURE: 3, Label.REAL: 1}


def importance(result: FileResult) -> tuple[int, float]:
    """Sorts records for a page that cannot hold all: flagged, AI-generated, unsure, failed, real, skipped."""
    if result.status is Status.SCANNED:
        rank = _FLAGGED if result.flagged else _LABELS[result.label or Label.REAL]
        return rank, result.probability or 0.0
    return (_FAILED if result.status is Status.FAILED else _SKIPPED), 0.0


def _no_space(error: OSError) -> ReportError:
    return ReportError(f"cannot keep the page's records in {tempfile.gettempdir()}: {error.strerror}")


def _file(name: str) -> str:
    return (resources.files("scanner.report") / "page" / name).read_text(encoding="utf-8")


def _script() -> str:
    body = "\n".join(_file(name) for name in _SCRIPTS)
    return f'(() => {{ "use strict";\n{body}}})();\n'


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["thousands"] = "{:,}".format
    return environment.from_string(_file("page.html.j2"))


def _policy(css: str, script: str) -> str:
    """A content security policy that runs this page's own script and style, shows its own pictures, nothing else."""
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_digest(css)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
