"""The guarded child: decodes and classifies what it is given and returns only scores; a bad picture costs only it."""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

from scanner.engine.wire import Done, Ready, Refused, Start, Task, receive, send
from scanner.errors import DfscanError


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


def _serve(start: Start, source: BinaryIO, sink: BinaryIO) -> None:
    from scanner.classifier import OnnxClassifier
    from scanner.decode import init_worker
    from scanner.examine import Examiner
    from scanner.model import load_model

    init_worker()
    try:
        classifier = OnnxClassifier(load_model(start.model), start.device)
    except DfscanError as error:
        send(sink, Refused(type(error).__name__, str(error)))
        return
    _limit_memory(start.max_memory)
    examiner = Examiner(start.settings, classifier)
    send(sink, Ready(classifier.provider))
    while isinstance(task := receive(source), Task):
        send(sink, Done(tuple(examiner.examine(list(task.files)))))


def _limit_memory(limit: int | None) -> None:
    """Bound the address space where the system can: a huge picture then fails alone, with MemoryError."""
    if limit is None:
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    if soft == resource.RLIM_INFINITY or soft > bound:
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


if __name__ == "__main__":
    main()
