"""`bgcheck matrix`, `merge` and `database`: measure many versions, and derive what is to expect."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode

from .errors import UsageError, need

if TYPE_CHECKING:
    from bgcheck_suites.matrix.cells import Cell
    from bgcheck_suites.matrix.running import Job
    from bgcheck_suites.matrix.specs import Spec

EPILOG = """\
exit codes:
  0  every cell was measured
  2  inconclusive: a cell could not be built, or crashed; the reason is in the table
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommands."""
    _add_matrix(commands)
    merge = commands.add_parser(
        "merge",
        help="join the cells of several runs or machines",
        description="Join matrix directories and result files into one matrix directory. What two "
        "of them measured differently in the same cell is marked unstable.",
    )
    merge.add_argument("out", type=Path, metavar="OUT", help="the directory to write")
    merge.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="what to join")
    merge.set_defaults(run=run_merge)
    database = commands.add_parser(
        "database",
        help="derive the behaviour database from measured cells",
        description="Derive, for each probe, the versions of which package, or of which two, "
        "explain its values, and write one JSON file a probe.",
    )
    database.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="measured cells")
    database.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to (default: the shipped database)"
    )
    database.set_defaults(run=run_database)


def _add_matrix(commands: Any) -> None:
    parser = commands.add_parser(
        "matrix",
        help="measure the behaviour of many versions",
        description="Build a cell for each combination of versions, run the framework suite in "
        "it, and keep what was measured. A measured cell is not measured again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, example in (
        ("python", "3.11,3.13"),
        ("fastapi", "0.105.0,0.117,newest"),
        ("starlette", "0.46.2"),
        ("anyio", "3.7.1,newest"),
    ):
        parser.add_argument(f"--{name}", default="", metavar="VERSIONS", help=f"such as {example}")
    add = parser.add_argument
    add("--dir", type=Path, default=Path("bgcheck-matrix"), metavar="DIR",
        help="where the cells go (default: %(default)s)")  # fmt: skip
    add("-n", "--workers", type=int, default=os.cpu_count() or 1, metavar="N",
        help="how many cells at a time (default: %(default)s)")  # fmt: skip
    add("--select", action="append", default=[], metavar="PREFIX",
        help="only probes whose id starts so; may be repeated")  # fmt: skip
    add("--repeat", type=int, default=1, metavar="N",
        help="measure each cell N times, disturbed; what differs is unstable")  # fmt: skip
    add("--fresh", action="store_true", help="measure what was measured before, too")
    parser.set_defaults(run=run_matrix)


def run_matrix(arguments: argparse.Namespace) -> int:
    """Measure the cells, show them, and return the exit code."""
    need("matrix", "suites", "rich", "packaging")
    from rich.console import Console

    specs = _specs(arguments)
    job = _job(arguments)
    if not job.probes:
        raise UsageError(f"no probe matches {', '.join(arguments.select)}")
    cells = _measured(job, specs, arguments.workers, Console(stderr=True))
    _show(cells, Console())
    return ExitCode.HOLDS if all(c.status == "measured" for c in cells) else ExitCode.INCONCLUSIVE


def _specs(arguments: argparse.Namespace) -> "list[Spec]":
    from bgcheck_suites.matrix import interpreters, specs

    pythons = _versions(arguments.python)
    packages = [_versions(getattr(arguments, name)) for name in ("fastapi", "starlette", "anyio")]
    try:
        if any(packages):
            return specs.product(pythons or [interpreters.RUNNING], *packages)
    except specs.SpecError as error:
        raise UsageError(str(error)) from None
    first, *further = pythons or [interpreters.RUNNING, *interpreters.other_pythons()]
    return specs.default_specs(first, further)


def _versions(text: str) -> list[str]:
    return [version.strip() for version in text.split(",") if version.strip()]


def _job(arguments: argparse.Namespace) -> "Job":
    from bgcheck_suites.matrix.environments import BuildError
    from bgcheck_suites.matrix.running import Job
    from bgcheck_suites.matrix.wheels import make_wheel

    if arguments.repeat < 1 or arguments.workers < 1:
        raise UsageError("--repeat and --workers are at least 1")
    try:
        wheel = make_wheel(arguments.dir / "wheel")
    except (BuildError, OSError) as error:
        raise UsageError(f"cannot make a wheel for the cells: {error}") from None
    return Job(
        arguments.dir, wheel, tuple(arguments.select), arguments.repeat, fresh=arguments.fresh
    )


def _measured(job: "Job", specs: "Sequence[Spec]", workers: int, console: Any) -> "list[Cell]":
    """Measure the cells, with progress, and return them in the order of the specs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from bgcheck_suites.matrix.running import measure_all

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    found = {}
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("building", total=len(specs))
        for spec, cell in measure_all(job, specs, workers):
            found[spec] = cell
            bar.update(task, advance=1, description=f"{spec.slug}: {cell.status}")
    return [found[spec] for spec in specs]


def _show(cells: "Sequence[Cell]", console: Any) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("cell", "status", "probes", "", box=None)
    table.columns[0].overflow = "fold"
    for cell in cells:
        style = "green" if cell.status == "measured" else "red"
        unstable = sum(one.unstable for one in cell.observations.values())
        table.add_row(
            escape(cell.name),
            f"[{style}]{cell.status}[/]",
            str(len(cell.observations)),
            f"{unstable} unstable" if unstable else "",
        )
    console.print(table)
    for cell in cells:
        if cell.reason:
            console.print(escape(f"{cell.name}: {cell.reason}"), highlight=False)


def run_merge(arguments: argparse.Namespace) -> int:
    """Join cells, write them, and return the exit code."""
    need("merge", "suites", "packaging")
    from bgcheck_suites.matrix.cells import write_cell

    cells = _merged(arguments.runs)
    directory = arguments.out / "cells"
    for cell in cells:
        write_cell(cell, directory / f"{cell.name}.json")
    print(f"{_counted(len(cells), 'cell')} in {arguments.out}")  # noqa: T201
    return ExitCode.HOLDS


def run_database(arguments: argparse.Namespace) -> int:
    """Derive the database, write it, and return the exit code."""
    need("database", "suites", "packaging")
    from bgcheck_suites.matrix import database

    cells = [cell for cell in _merged(arguments.runs) if cell.status != "unbuilt" or cell.reason]
    records = database.derive(cells)
    if not records:
        raise UsageError("none of these cells was measured: there is nothing to derive from")
    directory = arguments.output or database.SHIPPED
    database.write(records, directory)
    database.write_cells(cells, directory)
    changing = sum(len(record.ranges) > 1 for record in records.values())
    unexplained = sum(not record.explained for record in records.values())
    unstable = sum(record.unstable for record in records.values())
    print(  # noqa: T201
        f"{_counted(len(records), 'probe')} from {_counted(len(cells), 'cell')} in {directory}: "
        f"{changing} {'changes' if changing == 1 else 'change'}, "
        f"{unexplained} by no two packages, {unstable} unstable"
    )
    return ExitCode.HOLDS


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _merged(runs: "Sequence[Path]") -> "list[Cell]":
    from bgcheck_suites.matrix.cells import CellError, read_cells
    from bgcheck_suites.matrix.running import merge

    try:
        return sorted(merge(read_cells(runs)), key=lambda cell: cell.name)
    except CellError as error:
        raise UsageError(str(error)) from None
