"""The stores of this process, each opened once; what the extra [remote] brings is loaded here and not before."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from scanner.errors import InputError
from scanner.remote.store import Store
from scanner.remote.urls import INSTALL, Scheme

Answer = TypeVar("Answer")

CONNECTIONS = 32
"""Requests at once: enough for 600 pictures a second where a request takes 50 ms."""

_CLASSES = {
    Scheme.S3: ("scanner.remote.s3", "S3Store", "s3fs"),
    Scheme.GS: ("scanner.remote.gcs", "GcsStore", "gcsfs"),
    Scheme.AZ: ("scanner.remote.azure", "AzureStore", "adlfs"),
    Scheme.HTTPS: ("scanner.remote.web", "WebStore", "aiohttp"),
    Scheme.HTTP: ("scanner.remote.web", "WebStore", "aiohttp"),
    Scheme.MEMORY: ("scanner.remote.memory", "MemoryStore", "fsspec"),
}
_CHATTY = ("adlfs", "aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs")
"""Loggers of libraries that write URLs or traces where the application has set up no logging of its own."""

_opened: dict[tuple[str, float], Store] = {}
_lock = threading.Lock()


def open_store(scheme: Scheme, idle: float) -> Store:
    """The store for URLs of a kind; raises InputError where this installation lacks what it needs.

    `idle`: seconds without an answer after which a request has failed.
    """
    module, name, _ = _CLASSES[scheme]
    with _lock:
        store = _opened.get((module, idle))
        if store is None:
            require(scheme)
            store = getattr(importlib.import_module(module), name)(idle=idle, connections=CONNECTIONS)
            _opened[module, idle] = store
        return store


def require(scheme: Scheme) -> None:
    """Load what URLs of a kind need; raises InputError where it is not installed."""
    needed = _CLASSES[scheme][2]
    try:
        importlib.import_module("fsspec")
        importlib.import_module(needed)
    except ImportError as error:
        raise InputError(f"{scheme.value}:// needs {needed}, which is not installed: {INSTALL}") from error
    _keep_quiet()


def forget_stores() -> None:
    """Open every store anew when it is needed next, for settings of the environment that have changed."""
    with _lock:
        _opened.clear()


def start(answer: Coroutine[Any, Any, Answer]) -> Future[Answer]:
    """Begin to await something in fsspec's own thread."""
    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(answer, get_loop())


def _keep_quiet() -> None:
    """What these libraries log comes as an error too, and is told once, without secrets."""
    for name in _CHATTY:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
