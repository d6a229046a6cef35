"""`bgcheck diff`: what differs between two measured sets of versions."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from rich.console import Console

    from bgcheck_suites.answers.changes import Difference
    from bgcheck_suites.answers.sides import Seen

_COLUMNS = {"id": True, "change": True, "what": False, "before": False, "after": False}
"""The columns of the table, and whether one keeps its words on one line."""

EPILOG = """\
A and B are versions of FastAPI (`0.105` is its last measured patch; `newest`), of another package
(`"starlette 0.40"`), names of cells, results files of `bgcheck conform`, or its report directories.

exit codes:
  0  no difference
  1  there are differences
  2  inconclusive: a side was not measured
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "diff",
        help="list what differs between two versions",
        description="List the requirements and behaviours that differ between two versions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", metavar="A")
    parser.add_argument("after", metavar="B")
    add_database(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="with the evidence, and what is unchanged"
    )
    parser.set_defaults(run=run)


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the option for another database than the one that ships."""
    parser.add_argument(
        "--database", type=Path, metavar="DIR", help="a database of your own (default: the shipped)"
    )


def find_difference(before: str, after: str, database: Path | None) -> "Difference":
    """Return what differs between two sides; raises UsageError for one that nobody knows."""
    from bgcheck_suites.answers.changes import compare
    from bgcheck_suites.answers.sides import SideError, find_sides
    from bgcheck_suites.matrix.database import SHIPPED

    if database is not None and not database.is_dir():
        raise UsageError(f"--database {database} is no directory; `bgcheck database` writes one")
    try:
        return compare(*find_sides(before, after, database or SHIPPED))
    except SideError as error:
        raise UsageError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the differences, and return the exit code."""
    need("diff", "suites", "rich", "packaging")
    found = find_difference(arguments.before, arguments.after, arguments.database)
    if arguments.json:
        print(json.dumps(_as_data(found), indent=1))  # noqa: T201
    else:
        _show(found, make_console(), verbose=arguments.verbose)
    if found.inconclusive:
        return ExitCode.INCONCLUSIVE
    return ExitCode.FAILED if found.changes else ExitCode.HOLDS


def make_console() -> "Console":
    """Return a console that is 100 columns wide where there is no terminal to ask."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


def _as_data(found: "Difference") -> dict[str, Any]:
    return {
        "before": found.before.name,
        "after": found.after.name,
        "inconclusive": found.inconclusive,
        "changes": [{"kind": change.kind, **asdict(change)} for change in found.changes],
        "unchanged": found.unchanged,
        "unsure": found.unsure,
    }


def _show(found: "Difference", console: "Console", *, verbose: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bgcheck_suites.registry import registry

    console.print(f"{found.before.name} -> {found.after.name}", soft_wrap=True)
    rows = registry()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, fixed in _COLUMNS.items():
        table.add_column(name, no_wrap=fixed)
    for change in found.changes:
        text = escape(rows[change.id].text) if change.id in rows else ""
        values = [_text(seen, verbose=verbose) for seen in (change.before, change.after)]
        table.add_row(change.id, change.kind, text, *values)
    if found.changes:
        console.print(table)
    for id_ in found.unchanged if verbose else ():
        console.print(f"{id_} unchanged: {found.after.seen[id_].value}", markup=False)
    console.print(_counts(found))
    if found.inconclusive:
        console.print(f"[bold yellow]Inconclusive[/]: {escape(found.inconclusive)}")


def _counts(found: "Difference") -> str:
    kinds = Counter(change.kind for change in found.changes)
    counts = {kind: kinds[kind] for kind in ("added", "changed", "removed")}
    totals = {**counts, "unchanged": len(found.unchanged), "unstable": len(found.unsure)}
    return ", ".join(f"{count} {kind}" for kind, count in totals.items())


def _text(seen: "Seen | None", *, verbose: bool) -> str:
    from rich.markup import escape

    if seen is None:
        return "not measured"
    return escape("\n".join([seen.value, *(seen.evidence if verbose else ())]))
