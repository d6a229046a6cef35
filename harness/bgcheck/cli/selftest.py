"""`bgcheck selftest`: breaks the framework on purpose, and sees the requirements find it."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcheck.report.gate import ExitCode
from bgcheck.report.stack import resolved_stack

from .errors import UsageError, need

if TYPE_CHECKING:
    from rich.console import Console

    from bgcheck_suites.selftest import Matrix, Trial

EPILOG = """\
exit codes:
  0  every fault is found by every requirement that names it
  1  a fault survived, or a requirement fails without any fault
  2  inconclusive: a requirement gave no answer
  3  usage error
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "selftest",
        help="break the framework on purpose, and see that the suite finds it",
        description="Plant faults in the installed framework, one at a time, each in a process of "
        "its own, and run the requirements that name it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="only this fault; may be repeated; an unknown name lists them",
    )
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="PREFIX",
        help="only requirements whose id starts so; may be repeated",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="run all requirements with each fault, not only those that name it",
    )
    parser.add_argument(
        "-n",
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="faults at the same time (default: the number of processors)",
    )
    parser.add_argument(
        "--report-dir",
        type=Path,
        default=Path("bgcheck-report"),
        metavar="DIR",
        help="where selftest.json and the logs go (default: %(default)s)",
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the matrix as a Markdown page, too"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the self-test, show the matrix, and return the exit code."""
    need("selftest", "suites", "rich", "packaging", "fastapi", "uvicorn", "httpx2|httpx")
    faults = _chosen(arguments.fault)
    from rich.console import Console

    from bgcheck_suites.selftest import markdown, requirements
    from bgcheck_suites.selftest import run as run_trials

    if not any(id_.startswith(tuple(arguments.select) or "") for id_ in requirements()):
        raise UsageError(f"no requirement of the framework matches {', '.join(arguments.select)}")
    console = Console(highlight=False)
    directory = _prepared(arguments.report_dir)
    matrix = run_trials(
        faults,
        directory / "selftest",
        stack=resolved_stack(),
        prefixes=arguments.select,
        full=arguments.full,
        workers=max(1, arguments.workers),
        on_trial=_progress(console),
    )
    (directory / "selftest.json").write_text(matrix.as_json(), encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(markdown(matrix), encoding="utf-8")
    return _show(matrix, console)


def _chosen(names: list[str]) -> list[str]:
    from bgcheck_suites.faults import FAULTS

    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        listed = "".join(f"\n  {fault.name}: {fault.summary}" for fault in FAULTS.values())
        raise UsageError(f"no fault is called {unknown[0]!r}; there are:{listed}")
    return names or list(FAULTS)


def _prepared(directory: Path) -> Path:
    try:
        (directory / "selftest").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the report to {directory}: {error.strerror}") from None
    return directory.resolve()


def _progress(console: "Console") -> "Callable[[Trial], None]":
    def show(trial: "Trial") -> None:
        if console.is_terminal:
            console.print(f"{trial.fault}: {len(trial.killing)} of {len(trial.asked)}", style="dim")

    return show


def _show(matrix: "Matrix", console: "Console") -> int:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("requirement", "kills"):
        table.add_column(title)
    for id_, faults in matrix.killers().items():
        table.add_row(id_, ", ".join(faults) or "[bold red]nothing[/]")
    console.print(table)
    for fault, id_ in matrix.survivors:
        console.print(f"[bold red]survived[/] {fault}: {id_} does not find it")
    for id_ in matrix.unhealthy:
        console.print(f"[bold red]fails[/] {id_} does not hold without any fault")
    for fault, id_ in matrix.inconclusive:
        console.print(f"[bold yellow]no answer[/] {fault}: {id_} (see selftest/{fault}.log)")
    console.print(escape(matrix.score), style="bold")
    return _code(matrix)


def _code(matrix: "Matrix") -> int:
    if matrix.survivors or matrix.unhealthy:
        return ExitCode.FAILED
    if matrix.inconclusive or not matrix.trials:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HOLDS
