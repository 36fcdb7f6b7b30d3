"""Looks into an ONNX file, without any ONNX library, for weights that lie outside it: no hash would cover those."""

from __future__ import annotations

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5

# The messages of onnx.proto that can hold a tensor, and the fields through which they do.
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _FUNCTION, _TRAINING, _SPARSE, _TENSOR = range(8)
_FIELDS: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def has_external_data(data: bytes) -> bool:
    """Whether any tensor of a serialised ModelProto is said to lie in another file.

    Raises ValueError where the bytes are no such message.
    """
    view = memoryview(data)
    waiting = [(_MODEL, 0, len(data))]
    while waiting:
        message, at, end = waiting.pop()
        while at < end:
            key, at = read_varint(view, at, end)
            field, kind = key >> 3, key & 7
            if kind == _VARINT:
                value, at = read_varint(view, at, end)
                if message == _TENSOR and field == _DATA_LOCATION and value:
                    return True
                continue
            length, at = read_length(view, kind, at, end)
            if message == _TENSOR and field == _EXTERNAL_DATA:
                return True
            inner = _FIELDS[message].get(field)
            if inner is not None and kind == _LENGTH:
                waiting.append((inner, at, at + length))
            at += length
    return False


def read_length(view: memoryview, kind: int, at: int, end: int) -> tuple[int, int]:
    """The length of a field that is no varint, and where its content begins."""
    if kind == _LENGTH:
        length, at = read_varint(view, at, end)
    elif kind == _EIGHT_BYTES:
        length = 8
    elif kind == _FOUR_BYTES:
        length = 4
    else:
        raise ValueError(f"no ONNX model: wire type {kind}")
    if length > end - at:
        raise ValueError("no ONNX model: a field is longer than its message")
    return length, at


def read_varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number at a place, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("no ONNX model: a number does not end")
