"""Tries a request again where that may help: later and later, at random, within a time that one object may take."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from scanner.records import Reason
from scanner.remote.store import FetchError, Unwanted

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried."""

    idle: float
    """Seconds without a byte after which a try has failed."""
    whole: float
    """Seconds that all tries of one request may take together."""
    tries: int = 5
    first_wait: float = 0.5
    """Seconds before the second try at most; twice that before the third, and so on."""
    longest_wait: float = 20.0


async def patiently(request: Callable[[], Awaitable[Answer]], patience: Patience) -> Answer:
    """The answer to a request that is tried again; raises the FetchError of the last try, with how often it failed.

    Unwanted and MemoryError go through; what else a library raises is a FetchError that is not tried again.
    """
    try:
        async with asyncio.timeout(patience.whole):
            return await _tries(request, patience)
    except TimeoutError:
        raise FetchError(Reason.TIMEOUT, f"not fetched within {patience.whole:g} s") from None


async def _tries(request: Callable[[], Awaitable[Answer]], patience: Patience) -> Answer:
    wait = patience.first_wait
    for number in range(1, patience.tries + 1):
        try:
            return await request()
        except FetchError as error:
            if not error.again:
                raise
            if number == patience.tries:
                raise FetchError(error.reason, f"{error.detail}; tried {number} times") from error
            # All that failed together must not come back together: the wait is drawn anew, between none and all.
            await asyncio.sleep(max(random.uniform(0, wait), min(error.wait, patience.longest_wait)))
            wait = min(2 * wait, patience.longest_wait)
        except (Unwanted, MemoryError):
            raise
        except Exception as error:  # a library trips over what a server sent: a property of the object
            raise FetchError(Reason.UNREADABLE, f"the answer cannot be understood ({type(error).__name__})") from error
    raise AssertionError("there is at least one try")


def patience(timeout: float) -> Patience:
    """The patience of a run in which one picture may take so many seconds."""
    return Patience(idle=timeout, whole=10 * timeout)
