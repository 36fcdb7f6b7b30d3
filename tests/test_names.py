"""Foreign text on a terminal: nothing hidden, nothing that drives it, and rows that fit."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from scanner.names import shorten, visible, width


def test_what_is_hidden_becomes_an_escape() -> None:
    assert visible("a\x1b[2Jb") == r"a\x1b[2Jb"
    assert visible("a\nb\tc\rd\x7f\x9b") == r"a\nb\tc\rd\x7f\x9b"
    assert visible("photo\u202egpj.exe") == r"photo\u202egpj.exe"
    assert visible("z\u200bw\ufeff") == r"z\u200bw\ufeff"
    assert visible("a\udcffb") == r"a\xffb"
    assert visible("Grüße 写真 🎨 [/bold]") == "Grüße 写真 🎨 [/bold]"


@given(st.text())
def test_no_control_format_or_surrogate_character_is_left(text: str) -> None:
    for character in visible(text):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp"), repr(character)
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


@given(st.text(), st.integers(1, 100))
def test_a_shortened_path_fits_and_keeps_both_ends(text: str, columns: int) -> None:
    shown = shorten(visible(text), columns)
    assert width(shown) <= columns
    if shown != visible(text):
        head, tail = shown.split("…", 1) if "…" not in visible(text) else ("", "")
        assert visible(text).startswith(head) and visible(text).endswith(tail)


def test_the_name_of_the_file_stays_longest() -> None:
    path = "/srv/uploads/2026/november/25/of/a/very/deep/tree/IMG_0001.jpg"
    assert shorten(path, 30).endswith("/IMG_0001.jpg")
    assert shorten(path, 30).startswith("/srv/")
    assert width(shorten("写真" * 30 + ".png", 21)) <= 21
