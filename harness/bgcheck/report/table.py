"""A conformance run on screen: progress, the table, and what failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from .gate import ExitCode, Gate
from .reproductions import reproduction_of
from .results import Result, Run
from .stack import describe

STYLES = {
    "pass": "green",
    "fail": "bold red",
    "warn": "yellow",
    "expected-fail": "cyan",
    "unexpected-pass": "bold red",
    "not-applicable": "dim",
    "not-testable": "bold red",
}
HEADLINES = {
    ExitCode.HOLDS: "[bold green]Conforms[/]",
    ExitCode.FAILED: "[bold red]Does not conform[/]",
    ExitCode.INCONCLUSIVE: "[bold yellow]Inconclusive[/]",
    ExitCode.SUITE_BUG: "[bold magenta]Bug in the suite[/]",
}

Advance = Callable[[dict[str, Any]], None]


class Screen:
    """Prints a run. `verbose` shows each result as it comes."""

    def __init__(self, *, verbose: bool = False, console: Console | None = None) -> None:
        self._console = console or _console()
        self._verbose = verbose

    @contextmanager
    def progress(self, total: int) -> Iterator[Advance]:
        """Show progress during the block; call the yielded function with each line of results."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task("starting", total=total)

            def advance(record: dict[str, Any]) -> None:
                if record["type"] != "requirement":
                    return
                bar.update(task, advance=1, description=record["id"])
                if self._verbose:
                    bar.console.print(f"{record['id']:14} {_status(record['status'])}")

            yield advance

    def show(self, run: Run, gate: Gate, directory: Path) -> None:
        """Print the table of a run, its failures, and its verdict."""
        self._console.print(_table(run))
        for result in run.results:
            if result.failing or result.status == "warn":
                self._explain(result, run.repeat(result.id))
        self._console.print(f"stack: {escape(describe(run.header.get('stack', {})))}", style="dim")
        self._console.print(HEADLINES[gate.code] + ": " + escape("; ".join(gate.reasons)))
        self._console.print(f"report: {escape(str(directory / 'index.html'))}", soft_wrap=True)

    def _explain(self, result: Result, repeat: str) -> None:
        title = f"{result.id} {_status(result.status)} {escape(result.requirement)}"
        self._console.print(title)
        for line in (result.message, *result.evidence):
            self._console.print(f"    {escape(line)}")
        if self._verbose:
            for line in reproduction_of(result).splitlines():
                self._console.print(f"        {escape(line)}", style="dim", soft_wrap=True)
        self._console.print(f"    Repeat: {escape(repeat)} -v\n", style="dim", soft_wrap=True)


def _console() -> Console:
    """Return a console that is 100 columns wide where there is no terminal to ask."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


def _status(status: str) -> str:
    return f"[{STYLES[status]}]{status}[/]"


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("requirement")
    for result in run.results:
        text = escape(result.requirement)
        if result.observed is not None:
            text += f" [dim]{escape(result.observed)}[/]"
        elif result.status in ("not-applicable", "expected-fail"):
            text += f" [dim]{escape(result.message)}[/]"
        table.add_row(result.id, result.level or "-", _status(result.status), text)
    return table
