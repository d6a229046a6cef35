"""The `bgcheck` command."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from bgcheck import __version__
from bgcheck.report.gate import ExitCode
from bgcheck.report.stack import resolved_stack

from . import (
    baseline,
    bisect,
    conform,
    diff,
    expect,
    explain,
    fixtures,
    matrix,
    page,
    selftest,
    upgrade,
)
from .errors import UsageError


class _Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with bgcheck's exit code for them."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {message}\n")


def _version() -> str:
    """Return bgcheck's version and the resolved stack, one a line."""
    found = {"bgcheck": __version__, **resolved_stack()}
    return "\n".join(f"{name} {version}" for name, version in found.items())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command and its subcommands."""
    parser = _Parser(
        prog="bgcheck",
        description="A background check for the background tasks of FastAPI and Starlette.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help="show the version of bgcheck and of the installed stack, and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    conform.add_parser(commands)
    matrix.add_parser(commands)
    bisect.add_parser(commands)
    diff.add_parser(commands)
    upgrade.add_parser(commands)
    expect.add_parser(commands)
    fixtures.add_parser(commands)
    explain.add_parser(commands)
    baseline.add_parser(commands)
    page.add_parser(commands)
    selftest.add_parser(commands)
    return parser


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Split off what goes to pytest: argparse refuses it where an option stands before `--`."""
    end = words.index("--") if words[:1] == ["baseline"] and "--" in words else len(words)
    return words[:end], words[end + 1 :]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    words, rest = _split(sys.argv[1:] if argv is None else list(argv))
    arguments = parser.parse_args(words, argparse.Namespace(rest=rest))
    if arguments.version:
        print(_version())  # noqa: T201
        return ExitCode.HOLDS
    if not hasattr(arguments, "run"):
        parser.error("a command is required; `bgcheck --help` lists them")
    try:
        return int(arguments.run(arguments))
    except UsageError as error:
        parser.error(str(error))
