"""Examines files in one guarded child: survives its death and its hanging, and finds the picture that did it."""

from __future__ import annotations

from collections.abc import Callable

from scanner.engine.child_process import CHILD, ChildProcess, ChildRefusedError
from scanner.engine.wire import Classify, Done, Logits, Start, Task
from scanner.records import Examined, Failure, ImageFile, Reason, Stage

_RETRIES = 2
"""How often a file is tried again over which a child died: whoever ends processes at random must not hit it thrice."""
_STARTS = 3
"""Children that may be ended before they can serve, one after the other, where one has served before."""


class Guard:
    """Examines tasks in one child at a time; a new one takes over where one has died. Used by one thread."""

    def __init__(
        self,
        start: Start,
        timeout: float,
        program: str = CHILD,
        *,
        serve: Callable[[Classify], Logits] | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """`timeout`: seconds that one file may take; somebody has to call `child.expire` now and then.

        `serve`, `descriptors`: for a child that classifies in this process (see ChildProcess).
        """
        self._timeout = timeout
        self.child = ChildProcess(start, program, serve=serve, descriptors=descriptors)

    def examine(self, files: list[ImageFile]) -> list[Examined]:
        """One result a file, in order; a file that kills or hangs the child becomes `crashed` or `timeout`.

        Nothing where the child was closed meanwhile.
        """
        answer = self._ask(files)
        if answer is not None:
            return list(answer.results)
        if self.child.closed:
            return []
        at = self.child.begun
        if at is not None and at < len(files):
            culprit = _failed(files[at], self._timeout) if self.child.expired else self._once_more(files[at])
            return [*self.examine(files[:at]), culprit, *self.examine(files[at + 1 :])]
        if len(files) > 1:  # it was none while it was decoded: somebody's views, or nobody's fault
            return [result for file in files for result in self.examine([file])]
        return [self._once_more(files[0])]

    def _once_more(self, file: ImageFile) -> Examined:
        """The result of a file over which a child died: the child may have been killed from outside."""
        for _ in range(_RETRIES):
            answer = self._ask([file])
            if answer is not None:
                return answer.results[0]
            if self.child.expired or self.child.closed:
                break
        return _failed(file, self._timeout if self.child.expired else None)

    def _ask(self, files: list[ImageFile]) -> Done | None:
        """The child's answer, or None where it died on the way."""
        if not files:
            return Done(())
        answer = self._answer(Task(tuple(files)))
        if isinstance(answer, Done) and len(answer.results) == len(files):
            return answer
        self.child.end()
        return None

    def _answer(self, task: Task) -> object:
        """What the child says; where it is ended while it starts in place of another, the next one is asked."""
        for _ in range(_STARTS - 1):
            try:
                return self.child.ask(task, self._timeout)
            except ChildRefusedError:
                if self.child.provider == "":  # none has served yet: it will not
                    raise
        return self.child.ask(task, self._timeout)


def _failed(file: ImageFile, timeout: float | None) -> Examined:
    """The result of a file that took longer than `timeout` seconds, or that ended its worker."""
    if timeout is not None:
        return Examined(file, Failure(Stage.DECODE, Reason.TIMEOUT, f"took longer than {timeout:g} s"))
    return Examined(file, Failure(Stage.DECODE, Reason.CRASHED, "the picture ended its worker process"))
