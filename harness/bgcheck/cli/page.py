"""`bgcheck page`: the measured database for readers."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.grid.table import Grid

EPILOG = """\
MEASURED is the directory of a database, or the cells of `bgcheck matrix`, or results files of
`bgcheck conform`; by default the database that ships with bgcheck.

exit codes:
  0  written
  2  inconclusive: nothing was measured, or the run of a badge is incomplete
  3  usage error
"""
PAGE = Path("bgcheck-page.html")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "page",
        help="show what was measured as one HTML page",
        description="Write the measured database as one HTML page: probes by versions, with the "
        "evidence of each value. It works offline.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("measured", nargs="*", type=Path, metavar="MEASURED")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where it goes (default: {PAGE}; Markdown: standard output)",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--markdown", action="store_true", help="counts and change points, for a job's summary"
    )
    forms.add_argument(
        "--history", action="store_true", help="what each release changed, in Markdown"
    )
    forms.add_argument(
        "--badge", type=Path, metavar="FILE", help="write the badge of one run, as shields.io reads"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write what is asked for, and return the exit code."""
    need("page", "suites", "jinja2", "packaging")
    if arguments.badge:
        return _badge(arguments.measured, arguments.badge)
    from bgcheck.report.grid import render_grid, render_history, render_summary
    from bgcheck_suites.grid.table import NothingMeasuredError

    try:
        grid = _grid(arguments.measured)
    except NothingMeasuredError:
        print("inconclusive: nothing was measured", file=sys.stderr)  # noqa: T201
        return ExitCode.INCONCLUSIVE
    if arguments.markdown or arguments.history:
        render = render_history if arguments.history else render_summary
        _write(render(grid), arguments.output)
    else:
        file = arguments.output or PAGE
        _write(render_grid(grid), file)
        print(f"page: {file}")  # noqa: T201
    return ExitCode.HOLDS


def _grid(paths: list[Path]) -> "Grid":
    from bgcheck_suites.grid.table import grid_of_database, grid_of_runs
    from bgcheck_suites.matrix.cells import CellError
    from bgcheck_suites.matrix.database import CELLS, SHIPPED

    if not paths:
        return grid_of_database(SHIPPED)
    if len(paths) == 1 and (paths[0] / CELLS).is_file():
        return grid_of_database(paths[0])
    try:
        return grid_of_runs(paths)
    except CellError as error:
        raise UsageError(str(error)) from None


def _badge(paths: list[Path], file: Path) -> int:
    from bgcheck.report.results import read_run
    from bgcheck_suites.grid.badge import badge

    if len(paths) != 1:
        raise UsageError(f"--badge is about one run of `bgcheck conform`, not {len(paths)}")
    results = paths[0] / "results.jsonl" if paths[0].is_dir() else paths[0]
    try:
        outcome = read_run(results)
    except OSError as error:
        raise UsageError(f"cannot read {results}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{results} holds no run: {error}") from None
    _write(json.dumps(badge(outcome), ensure_ascii=False) + "\n", file)
    return ExitCode.HOLDS if outcome.complete else ExitCode.INCONCLUSIVE


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
