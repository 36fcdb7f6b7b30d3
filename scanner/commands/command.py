"""The classes behind commands: settings from environment and file, grouped help, and `scan` as the default command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from scanner.commands import SUMMARIES, Commands
from scanner.config import EXCLUSIVE, Found, Setting, from_environment, from_file
from scanner.errors import UsageError

_HYPHEN = "\N{NON-BREAKING HYPHEN}"
_FOUND = "scanner.settings"
"""Key of the context's memory: the settings found outside the command line, by parameter name."""


class Command(TyperCommand):
    """A command whose options are settings too (`scanner.config`), and whose help groups them by panel."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line over the settings; `--config`, being eager, adds the file's in between."""
        if ctx.resilient_parsing:  # shell completion must not stop at somebody's broken settings
            return super().parse_args(ctx, args)
        _remember(ctx, from_environment(settings_of(self), _known_flags(ctx), os.environ))
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            name = error.param.name if error.param is not None else ""
            found = _found(ctx).get(name)
            if found is None or ctx.get_parameter_source(name).name != "DEFAULT_MAP":
                raise
            raise UsageError(f"{found.source}: {error.message}") from error
        _put_aside(ctx, self)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options under the headings of their `rich_help_panel`, in the order of declaration."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panel = getattr(param, "rich_help_panel", None)
                if isinstance(param, TyperOption):
                    panels.setdefault(panel or "Options", []).append(record)
                else:  # without the type, which Typer would write behind the name
                    panels.setdefault(panel or "Arguments", []).append((param.metavar or param.name, record[1]))
        written = len(formatter.buffer)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name, _unbroken(text)) for name, text in records], col_max=26)
        formatter.buffer[written:] = [piece.replace(_HYPHEN, "-") for piece in formatter.buffer[written:]]


def _unbroken(text: str) -> str:
    """A help text whose `ai-generated` and `--no-cache` stay whole where lines are wrapped."""
    return text.replace("-", _HYPHEN).replace(".  [default", ". [default")


class ScanByDefault(TyperGroup):
    """`dfscan PATH...` is `dfscan scan PATH...`; a first word that equals a command's name is the command."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.commands = cast(Any, Commands())  # only ever read

    def list_commands(self, ctx: Any) -> list[str]:
        """`scan` first, the others by name, groups of commands among them."""
        return list(SUMMARIES)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in front before anything is parsed, for completion as well."""
        own = {flag for param in self.params for flag in (*param.opts, *param.secondary_opts)}
        own.update(ctx.help_option_names)
        if not (args and args[0].split("=")[0] in own) and not (ctx.resilient_parsing and not args):
            args = command_first(args, self)
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete the options of `scan` beside the commands, since it need not be written."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            scan = self.commands["scan"]
            found += scan.shell_complete(scan.make_context("scan", [], parent=ctx, resilient_parsing=True), incomplete)
        return found


def command_first(args: list[str], group: Any) -> list[str]:
    """The arguments with the command's name in front: the first word if it is one, else `scan`."""
    options = [param for param in group.commands["scan"].params if isinstance(param, TyperOption)]
    valued = {flag for option in options if not option.is_flag and not option.count for flag in option.opts}
    word = _first_word(args, valued)
    if word is not None and args[word] in group.commands:
        return [args[word], *args[:word], *args[word + 1 :]]
    return ["scan", *args]


def _first_word(args: list[str], valued: set[str]) -> int | None:
    """Index of the first argument that is neither an option nor an option's value."""
    index = 0
    while index < len(args):
        arg = args[index]
        if arg == "--":
            return None
        if not arg.startswith("-") or arg == "-":
            return index
        if arg.startswith("--"):
            takes_next = arg in valued
        else:  # a cluster of short options: the first that takes a value takes the rest of the cluster
            first = next((at for at, letter in enumerate(arg[1:], 1) if f"-{letter}" in valued), None)
            takes_next = first == len(arg) - 1
        index += 2 if takes_next else 1
    return None


def settings_of(command: Any) -> list[Setting]:
    """The options of a command that can be set without their flags."""
    return [
        Setting(
            name=option.name,
            flags=_long(option.opts),
            negations=_long(option.secondary_opts),
            is_switch=bool(option.is_flag),
            is_list=bool(option.multiple),
        )
        for option in command.params
        if isinstance(option, TyperOption) and _long(option.opts)
    ]


def read_config(ctx: typer.Context, value: str | None) -> str | None:
    """Callback of `--config`: the file's settings become defaults below the environment's."""
    if value is not None and not ctx.resilient_parsing:
        _remember(ctx, {**from_file(settings_of(ctx.command), _known_flags(ctx), value), **_found(ctx)})
    return value


def _long(flags: list[str]) -> tuple[str, ...]:
    return tuple(flag[2:] for flag in flags if flag.startswith("--"))


def _known_flags(ctx: Any) -> set[str]:
    """The flags of every command: one environment and one file serve them all."""
    return {
        flag
        for command in _all_commands(ctx.find_root().command)
        for setting in settings_of(command)
        for flag in (*setting.flags, *setting.negations)
    }


def _all_commands(command: Any) -> Iterator[Any]:
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from _all_commands(child)


def _found(ctx: Any) -> dict[str, Found]:
    found: dict[str, Found] = ctx.meta.get(_FOUND, {})
    return found


def _remember(ctx: Any, found: dict[str, Found]) -> None:
    ctx.meta[_FOUND] = found
    ctx.default_map = {name: item.value for name, item in found.items()}


def _put_aside(ctx: Any, command: Any) -> None:
    """Of two settings that exclude each other, drop the one set further from the command line."""
    defaults = {param.name: param.default for param in command.params}
    for pair in EXCLUSIVE:
        ranks = {name: _rank(ctx, name) for name in pair if name in ctx.params}
        if len(ranks) == 2 and all(ranks.values()) and len(set(ranks.values())) == 2:
            loser = min(ranks, key=lambda name: ranks[name])
            ctx.params[loser] = defaults[loser]


def _rank(ctx: Any, name: str) -> int:
    """3: flag, 2: environment, 1: file, 0: default."""
    source = ctx.get_parameter_source(name)
    if source is None or source.name == "DEFAULT":
        return 0
    if source.name == "DEFAULT_MAP":
        return 2 if _found(ctx)[name].source.startswith("DFSCAN_") else 1
    return 3
