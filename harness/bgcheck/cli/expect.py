"""`bgcheck expect update`: writes what is known to fail, and where, from several runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.answers.expectations import Expectations
    from bgcheck_suites.answers.updating import Changes
    from bgcheck_suites.matrix.cells import Cell

FILE = Path("expectations.toml")
EPILOG = """\
RUN is a results file or report directory of `bgcheck conform`, a cell, or a matrix directory.
Entries that none of the runs is about stay as they are; comments and reasons are kept.

exit codes:
  0  the file lists what fails in the runs, and nothing that holds there
  2  inconclusive: no run was measured to its end
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "expect",
        help="write what is known to fail, and where, from several runs",
        description="Bring expectations.toml in line with what fails and holds in some runs: each "
        "requirement that fails gets the smallest condition that tells where.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("update",))
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="what was measured")
    parser.add_argument(
        "--file", type=Path, default=FILE, help="the expectations (default: %(default)s)"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="the reason of new entries")
    parser.add_argument("--link", default="", metavar="URL", help="the link of new entries")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Update the file, print what changed, and return the exit code."""
    need("expect update", "suites", "tomlkit", "packaging")
    from bgcheck_suites.matrix.cells import CellError, read_cells

    try:
        cells = read_cells(arguments.runs)
    except CellError as error:
        raise UsageError(str(error)) from None
    for cell in cells:
        if cell.status != "measured":
            _say(f"left out: {cell.name}: {cell.status}: {cell.reason}")
    measured = [cell for cell in cells if cell.status == "measured"]
    if not measured:
        _say("inconclusive: no run was measured to its end")
        return ExitCode.INCONCLUSIVE
    _tell(_update(arguments, measured), arguments.file)
    return ExitCode.HOLDS


def _update(arguments: argparse.Namespace, cells: "Sequence[Cell]") -> "Changes":
    import tomlkit

    from bgcheck_suites.answers.expectations import ExpectationsError, read_expectations
    from bgcheck_suites.answers.updating import update
    from bgcheck_suites.registry import registry

    file: Path = arguments.file
    try:
        if file.exists():
            read_expectations(file, registry())
            document = tomlkit.parse(file.read_text(encoding="utf-8"))
        else:
            document = tomlkit.document()
        changes = update(document, cells, arguments.reason.strip(), arguments.link.strip())
    except ExpectationsError as error:
        raise UsageError(str(error)) from None
    if changes.added or changes.changed or changes.removed:
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
    return changes


def _tell(changes: "Changes", file: Path) -> None:
    kinds = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    for kind, lines in kinds.items():
        for line in lines:
            _say(f"{kind}: {line}")
    _say(f"{file}: " + ", ".join(f"{len(lines)} {kind}" for kind, lines in kinds.items()))


def _say(text: str) -> None:
    print(text)  # noqa: T201


def add_expectations(parser: argparse.ArgumentParser) -> None:
    """Add the option of `bgcheck conform`."""
    parser.add_argument(
        "--expectations",
        type=Path,
        metavar="FILE",
        help=f"what is known to fail, and why (default: {FILE} here, if there is one)",
    )


def expected(file: Path | None) -> "tuple[Path | None, Expectations]":
    """Return the file of expectations that counts, if there is one, and what it says.

    Raises UsageError for one that cannot be used, or that is about nothing known.
    """
    found = file or (FILE if FILE.is_file() else None)
    if found is None:
        return None, {}
    from bgcheck_suites.answers.expectations import (
        ExpectationsError,
        check_conditions,
        known_stacks,
        read_expectations,
    )
    from bgcheck_suites.registry import registry

    try:
        expectations = read_expectations(found, registry())
        check_conditions(found, expectations, known_stacks())
    except ExpectationsError as error:
        raise UsageError(str(error)) from None
    return found.resolve(), expectations
