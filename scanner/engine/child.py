"""The guarded child: decodes what it is given and returns only scores or small pictures; a bad one costs only it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from scanner.engine.wire import (
    Begun,
    Done,
    Draw,
    Heat,
    Heated,
    Ready,
    Refused,
    Start,
    StartDrawing,
    StartHeating,
    Task,
    receive,
    send,
)  # fmt: skip
from scanner.errors import DfscanError

if TYPE_CHECKING:
    from scanner.classifier import Classifier


def main() -> None:
    """Serve tasks from standard input until it ends; answers go to what was standard output."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides when a run ends, and closes standard input
        signal.signal(number, signal.SIG_IGN)
    source = sys.stdin.buffer
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # nothing that a decoder prints may reach the answers or the user's terminal
    os.dup2(null, 2)
    start = receive(source)
    if isinstance(start, Start):
        _serve(start, source, sink)
    elif isinstance(start, StartDrawing):
        _draw(start, source, sink)
    elif isinstance(start, StartHeating):
        _heat(start, source, sink)


def _serve(start: Start, source: BinaryIO, sink: BinaryIO) -> None:
    """Examine pictures; says which one it has come to, so that the parent knows whose fault an end was."""
    from scanner.decode import init_worker
    from scanner.engine.providers import uses_cpu
    from scanner.examine import Examiner

    init_worker()
    try:
        classifier = _classifier(start, source, sink)
    except DfscanError as error:
        send(sink, Refused(type(error).__name__, str(error)))
        return
    if start.arena is not None or uses_cpu(
        classifier.provider
    ):  # a GPU's driver reserves far more addresses than it uses
        _limit_memory(start.max_memory)
    examiner = Examiner(start.settings, classifier)
    send(sink, Ready(classifier.provider))
    while isinstance(task := receive(source), Task):
        results = examiner.examine(list(task.files), begun=lambda number: send(sink, Begun(number)))
        send(sink, Done(tuple(results)))


def _classifier(start: Start, source: BinaryIO, sink: BinaryIO) -> Classifier:
    """The child's own session, or its way to the parent's."""
    if start.arena is not None:
        from scanner.engine.remote import RemoteClassifier

        return RemoteClassifier(start.arena, source, sink)
    from scanner.classifier import open_classifier
    from scanner.model import load_model

    return open_classifier(load_model(start.model), start.device)


def _draw(start: StartDrawing, source: BinaryIO, sink: BinaryIO) -> None:
    """Make small pictures for a page."""
    from scanner.decode import init_worker
    from scanner.report.thumbnails import draw

    init_worker()
    _limit_memory(start.max_memory)
    send(sink, Ready(""))
    while isinstance(task := receive(source), Draw):
        send(sink, draw(task, start.limits))


def _heat(start: StartHeating, source: BinaryIO, sink: BinaryIO) -> None:
    """Look a second time at pictures of a page, for where their scores come from."""
    from scanner.decode import init_worker
    from scanner.heat import Heater, heat_of
    from scanner.model import load_model

    init_worker()
    try:
        heater = Heater(load_model(start.model))
    except DfscanError as error:
        send(sink, Refused(type(error).__name__, str(error)))
        return
    _limit_memory(start.max_memory)
    send(sink, Ready(""))
    while isinstance(task := receive(source), Heat):
        found = heat_of(task.path, task.sha256, heater, start.limits)
        send(sink, Heated() if found is None else Heated(found[0], found[1].tobytes(), found[1].shape[1]))


def _limit_memory(more: int | None) -> None:
    """Bound the address space to what is in use now and so many bytes more; nothing where the system cannot.

    A picture that needs more than that fails alone, with MemoryError.
    """
    if more is None:
        return
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError, ValueError):  # neither Windows nor macOS keeps to such a limit
        return
    bound = pages * resource.getpagesize() + more
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    for already in (soft, hard):
        bound = bound if already == resource.RLIM_INFINITY else min(bound, already)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


if __name__ == "__main__":
    main()
