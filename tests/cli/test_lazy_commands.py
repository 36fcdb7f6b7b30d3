"""`dfscan --help` tells of the commands without loading them, and tells what they would tell themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from scanner.commands import SUMMARIES, Commands

MODULES = Path(__file__).parents[2] / "scanner" / "commands"


def test_every_module_with_a_command_is_among_them() -> None:
    assert {path.stem for path in MODULES.glob("*.py") if "\ndef register(" in path.read_text()} == set(SUMMARIES)


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = Commands()[name]
    assert command.name == name
    assert SUMMARIES[name] == command.get_short_help_str(limit=79)


def test_help_loads_no_command() -> None:
    program = (
        "import sys; from scanner.cli import run\n"
        "assert run(['--help']) == 0\n"
        "print(*(name for name in sys.modules if name.startswith('scanner.commands.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=MODULES.parents[1], capture_output=True, check=True)
    assert done.stderr.split() == [b"scanner.commands.command"]
