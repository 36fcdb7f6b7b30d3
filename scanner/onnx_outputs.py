"""Cuts an ONNX file down to the outputs that are asked for, without any ONNX library.

ONNX Runtime computes every node of a graph, whatever outputs a call names; what is only sometimes wanted has to be
taken out of the bytes before a session is made of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from scanner.onnx_file import read_length, read_varint

_LENGTH = 2
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_OUTPUT = 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPHS = (6, 11)
_VALUE_NAME = 1


def with_outputs(data: bytes, wanted: Collection[str]) -> bytes:
    """The serialised ModelProto with those of its graph's outputs that are `wanted`, and the nodes they need.

    The very bytes where nothing is to be taken out. Raises ValueError where the bytes are no such message.
    """
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    changed = False
    for field, kind, start, at, end in _fields(view, 0, len(data)):
        if field == _MODEL_GRAPH and kind == _LENGTH:
            kept = _cut(view, at, end, wanted)
            if kept is not None:
                pieces += [_varint(field << 3 | kind), _varint(sum(map(len, kept))), *kept]
                changed = True
                continue
        pieces.append(view[start:end])
    return b"".join(pieces) if changed else data


def output_names(data: bytes) -> list[str]:
    """Names of what a serialised ModelProto's graph gives; raises ValueError where the bytes are no such message."""
    view = memoryview(data)
    return [
        _name(view, at, end)
        for field, kind, _, start, stop in _fields(view, 0, len(data))
        if field == _MODEL_GRAPH and kind == _LENGTH
        for inner, _, _, at, end in _fields(view, start, stop)
        if inner == _GRAPH_OUTPUT
    ]


def _cut(view: memoryview, start: int, end: int, wanted: Collection[str]) -> list[memoryview] | None:
    """The fields of the GraphProto between two places without what is not wanted; None where all of it is."""
    fields = list(_fields(view, start, end))
    names = {at: _name(view, at, stop) for field, _, _, at, stop in fields if field == _GRAPH_OUTPUT}
    if all(name in wanted for name in names.values()):
        return None
    nodes = [(at, _node(view, at, stop)) for field, _, _, at, stop in fields if field == _GRAPH_NODE]
    needed = {name for name in names.values() if name in wanted}
    kept = set()
    for at, (inputs, outputs) in reversed(nodes):  # nodes stand in the order in which they can be computed
        if needed.intersection(outputs):
            kept.add(at)
            needed.update(inputs)
    dropped = {at for at, _ in nodes if at not in kept} | {at for at, name in names.items() if name not in wanted}
    return [view[begin:stop] for _, _, begin, at, stop in fields if at not in dropped]


def _node(view: memoryview, start: int, end: int) -> tuple[list[str], list[str]]:
    """What a NodeProto reads, in the graphs inside it as well, and what it gives."""
    inputs: list[str] = []
    outputs: list[str] = []
    for field, kind, _, at, stop in _fields(view, start, end):
        if field == _NODE_INPUT:
            inputs.append(bytes(view[at:stop]).decode("utf-8", "replace"))
        elif field == _NODE_OUTPUT:
            outputs.append(bytes(view[at:stop]).decode("utf-8", "replace"))
        elif field == _NODE_ATTRIBUTE and kind == _LENGTH:
            for inner, inner_kind, _, inner_at, inner_stop in _fields(view, at, stop):
                if inner in _ATTRIBUTE_GRAPHS and inner_kind == _LENGTH:
                    inputs += _read_by_graph(view, inner_at, inner_stop)
    return inputs, outputs


def _read_by_graph(view: memoryview, start: int, end: int) -> list[str]:
    """All names that the nodes and the outputs of a graph inside a node read."""
    names: list[str] = []
    for field, _, _, at, stop in _fields(view, start, end):
        if field == _GRAPH_NODE:
            names += _node(view, at, stop)[0]
        elif field == _GRAPH_OUTPUT:
            names.append(_name(view, at, stop))
    return names


def _name(view: memoryview, start: int, end: int) -> str:
    """The name of a ValueInfoProto."""
    for field, kind, _, at, stop in _fields(view, start, end):
        if field == _VALUE_NAME and kind == _LENGTH:
            return bytes(view[at:stop]).decode("utf-8", "replace")
    return ""


def _fields(view: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(field, wire type, where its key begins, where its content begins, where it ends) of a message's fields."""
    while at < end:
        start = at
        key, at = read_varint(view, at, end)
        field, kind = key >> 3, key & 7
        if kind == 0:
            content = at
            _, at = read_varint(view, at, end)
        else:
            length, content = read_length(view, kind, at, end)
            at = content + length
        yield field, kind, start, content, at


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
