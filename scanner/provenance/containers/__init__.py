"""Splits a picture file into its metadata blocks with bounded reads, decoding no pixel and trusting no length."""

from __future__ import annotations

from typing import BinaryIO

from scanner.provenance.containers import bmff, gif, jpeg, png, tiff, webp
from scanner.provenance.containers.blocks import Blocks, Text, Window

__all__ = ["Blocks", "Text", "Window", "split"]

_SPLITTERS = (jpeg, png, webp, gif, tiff, bmff)


def split(file: BinaryIO) -> Blocks:
    """The metadata blocks of a picture; empty for what is no picture.

    Never raises for what the bytes hold: a container that breaks off gives the blocks before the break, and
    `Blocks.broken` names metadata blocks that are there and cannot be taken out. Raises OSError where reading fails.
    """
    window = Window(file)
    head = window.upto(0, 32)
    blocks = Blocks()
    for splitter in _SPLITTERS:
        if splitter.recognises(head):
            blocks.format = splitter.FORMAT
            try:
                splitter.split(window, blocks)
            except ValueError as error:
                blocks.ended = str(error)
            break
    return blocks
