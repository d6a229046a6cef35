"""`bgcheck explain` and `bgcheck checks`: what the checks find."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from bgcheck.checks.base import LEVELS, Check
from bgcheck.checks.pages import read_page
from bgcheck.checks.registry import all_checks, find_check

from .errors import UsageError


def add_parser(commands: Any) -> None:
    """Add the subcommands."""
    explain = commands.add_parser(
        "explain",
        help="explain a check: what it finds, why it matters, examples",
        description="Explain one check, or all: what it finds, why it matters, a faulty and a "
        "corrected example, versions.",
    )
    explain.add_argument("codes", nargs="*", metavar="CODE", help="such as BG301 (default: all)")
    explain.add_argument(
        "--markdown", action="store_true", help="write them as one page, with a table of all"
    )
    explain.set_defaults(run=run_explain)
    checks = commands.add_parser(
        "checks",
        help="list the checks with their defaults",
        description="List all checks: code, name, default, and what they find.",
    )
    checks.set_defaults(run=run_checks)


def run_explain(arguments: argparse.Namespace) -> int:
    """Print the pages and return the exit code."""
    codes = [code.upper() for code in arguments.codes] or [check.code for check in all_checks()]
    if arguments.markdown:
        _print(markdown(codes))
        return 0
    for number, code in enumerate(codes):
        if number:
            _print("")
        _print(explained(code))
    return 0


def explained(code: str) -> str:
    """Return the page of a check as Markdown.

    Raises UsageError where there is no such check.
    """
    check = find_check(code)
    if check is None:
        known = ", ".join(check.code for check in all_checks())
        raise UsageError(f"there is no check {code}; the checks are: {known}")
    page = read_page(code)
    head = f"# {page.title}\n\nDefault: {default_of(check)}"
    return page.text.rstrip().replace(f"# {page.title}", head, 1)


def markdown(codes: Sequence[str]) -> str:
    """Return the pages of some checks as one Markdown page, after a table of them.

    Raises UsageError where there is no such check.
    """
    pages = [_one_level_down(explained(code)) for code in codes]
    checks = [check for check in all_checks() if check.code in codes]
    rows = [f"| {_link(check)} | {LEVELS[check.default]} | {check.summary} |" for check in checks]
    table = ["| check | default | finds |", "|---|---|---|", *rows]
    return "\n\n".join([_HEAD, "\n".join(table), *pages])


_HEAD = """\
# The checks

Written by `bgcheck explain --markdown`. `bgcheck explain BG301` prints the page of one check."""


def _link(check: type[Check]) -> str:
    return f"[{check.code} {check.name}](#{check.code.lower()}-{check.name})"


def _one_level_down(page: str) -> str:
    """Give each heading one more `#`; a comment in an example is none."""
    parts = page.split("```")
    parts[::2] = [re.sub(r"^(?=#)", "#", part, flags=re.MULTILINE) for part in parts[::2]]
    return "```".join(parts)


def default_of(check: type[Check]) -> str:
    """Describe when a check is on, and when it fails a test."""
    return {
        "E": "error: on; fails its test in strict mode",
        "W": "warning: on; fails its test in strict mode only if selected",
        "O": "opt-in: off unless selected",
    }[check.default]


def run_checks(_: argparse.Namespace) -> int:
    """Print the table and return the exit code."""
    checks = list(all_checks())
    width = max(len(check.name) for check in checks)
    for check in checks:
        _print(f"{check.code}  {check.name:{width}}  {LEVELS[check.default]:7}  {check.summary}")
    return 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
