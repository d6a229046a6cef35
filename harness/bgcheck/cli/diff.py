"""`bgcheck diff`: what differs between two measured sets of versions."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.answers.changes import Difference
    from bgcheck_suites.answers.sides import Seen

EPILOG = """\
A and B are versions of FastAPI (`0.105`, `newest`), of another package (`"starlette 0.40"`), names
of cells, or results files of `bgcheck conform`.

exit codes:
  0  no difference
  1  there are differences
  2  inconclusive: no probe was measured on both sides
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
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="list what is unchanged too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the differences, and return the exit code."""
    need("diff", "suites", "rich", "packaging")
    from bgcheck_suites.answers.changes import compare
    from bgcheck_suites.answers.sides import SideError, find_side

    try:
        found = compare(find_side(arguments.before), find_side(arguments.after))
    except SideError as error:
        raise UsageError(str(error)) from None
    if arguments.json:
        print(json.dumps(_as_data(found), indent=1))  # noqa: T201
    else:
        _show(found, verbose=arguments.verbose)
    if not found.conclusive:
        return ExitCode.INCONCLUSIVE
    return ExitCode.FAILED if found.changes else ExitCode.HOLDS


def _as_data(found: "Difference") -> dict[str, Any]:
    return {
        "before": found.before.name,
        "after": found.after.name,
        "changes": [{"kind": change.kind, **asdict(change)} for change in found.changes],
        "unchanged": found.unchanged,
        "untold": found.untold,
    }


def _show(found: "Difference", *, verbose: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from bgcheck_suites.registry import registry

    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    table = Table("id", "change", "before", "after", box=None, pad_edge=False)
    for change in found.changes:
        row = registry().get(change.id)
        if row is not None:
            table.add_row(change.id, change.kind, row.text, style="bold")
        table.add_row("", "", _text(change.before), _text(change.after))
    console.print(f"{found.before.name} -> {found.after.name}")
    if found.changes:
        console.print(table)
    for id_ in found.unchanged if verbose else ():
        console.print(f"{id_} unchanged: {found.after.seen[id_].value}", markup=False)
    counts: dict[str, int] = dict.fromkeys(("added", "changed", "removed"), 0)
    for change in found.changes:
        counts[change.kind] += 1
    totals = {
        **counts,
        "unchanged": len(found.unchanged),
        "unstable or not measured": len(found.untold),
    }
    console.print(", ".join(f"{count} {kind}" for kind, count in totals.items()))


def _text(seen: "Seen | None") -> str:
    from rich.markup import escape

    return "no such probe" if seen is None else escape("\n".join([seen.value, *seen.evidence]))
