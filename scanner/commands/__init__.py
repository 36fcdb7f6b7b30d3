"""The commands, one a module: each module of this package has `register(app)`, and that is all there is to do."""

from __future__ import annotations

import importlib
import pkgutil

import typer


def register_all(app: typer.Typer) -> None:
    """Add every command to the application, `scan` first, the others by name.

    Modules here are imported for `dfscan --help`: they import numpy, Pillow, onnxruntime and rich only inside
    functions. A module without `register` holds what several commands share.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in sorted(names, key=lambda name: name != "scan"):
        register = getattr(importlib.import_module(f"{__name__}.{name}"), "register", None)
        if register is not None:
            register(app)
