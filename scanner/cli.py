"""The command `dfscan`: parses, calls a command, and maps every way a run can end to its exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from scanner import __version__
from scanner.commands.command import ScanByDefault
from scanner.errors import DfscanError, ExitCode

_HELP = """Find AI-generated pictures in image collections, offline.

`dfscan PATH...` is short for `dfscan scan PATH...`; `dfscan scan --help` shows its options.
A first word that is a command's name is the command: write ./cache for a folder of that name.

\b
  dfscan photos                                  look, on a terminal
  dfscan photos -o report.html                   a review sheet with pictures
  dfscan photos | jq -r 'select(.flagged).path'  use it in a script
"""

app = typer.Typer(
    cls=ScanByDefault,
    name="dfscan",
    help=_HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    subcommand_metavar="PATH... | COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dfscan {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code: the one error boundary."""
    try:
        code = _invoke(list(args))
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has what it wanted
        code = ExitCode.CLEAN
    except DfscanError as error:
        code = _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        code = _fail(_usage_message(error))
    except OSError as error:
        code = _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
    except MemoryError:
        code = _fail("out of memory")
    except Exception as error:
        code = _crash(error)
    except BaseException as error:
        code = _stopped(error)
    finally:
        _close_messages()
    _drop_unwritable_stdout()
    return int(code)


def _invoke(args: list[str]) -> int:
    command = typer.main.get_command(app)
    if "_DFSCAN_COMPLETE" in os.environ:
        command.main(args, prog_name="dfscan")  # answers the shell and exits
    try:
        with command.make_context("dfscan", args) as ctx:
            command.invoke(ctx)
    except typer.Exit as end:
        return end.exit_code
    return ExitCode.CLEAN


def _usage_message(error: typer.TyperException) -> str:
    """A usage error on one line, and where to read on."""
    message = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    context = getattr(error, "ctx", None)
    if context is not None and message == "Missing command":
        message += f" ({', '.join(context.command.list_commands(context))})"
    return f"{message}; see {context.command_path if context else 'dfscan'} --help"


def _fail(message: str, code: int = ExitCode.ERROR) -> int:
    from scanner import messages

    with contextlib.suppress(OSError, ValueError):
        messages.error(message)
    return code


def _crash(error: Exception) -> int:
    """A mistake of ours, which must never look like a verdict (Python's own exit code 1 would)."""
    import traceback

    from scanner.remote.urls import redact_text

    with contextlib.suppress(OSError, ValueError):
        print(redact_text("".join(traceback.format_exception(error))), end="", file=sys.stderr)  # noqa: T201
    return _fail(f"internal error: {type(error).__name__}: {error}. Please report it.")


def _stopped(error: BaseException) -> int:
    """A signal, or a request to exit; anything else is not ours to swallow."""
    from scanner.interrupts import Interrupted

    if isinstance(error, Interrupted):
        return 128 + error.signum
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.CLEAN if error.code is None else ExitCode.ERROR
    raise error


def _close_messages() -> None:
    module = sys.modules.get("scanner.messages")
    if module is not None:
        module.close()


def _drop_unwritable_stdout() -> None:
    """Python flushes standard output once more at exit; where that must fail, let it fail into nothing."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
