"""Task coverage in pytest's terminal summary."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bgcheck.report.findings import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from bgcheck.coverage.measure import Report, Tally

_COUNTS = ("scheduled", "ran", "failed", "asserted")


def summarize(
    terminal: pytest.TerminalReporter, report: Report, *, fail_under: float | None, complete: bool
) -> None:
    """Print the tables, what nobody looked at, and what no test reached.

    Args:
        terminal: where to print.
        report: the task coverage.
        fail_under: the percentage that is demanded, or None.
        complete: no process of the session was lost.
    """
    terminal.section("bgcheck: task coverage", sep="=")
    rows = [(place(site), ", ".join(sorted(site.funcs)), site) for site in report.sites]
    _write_table(terminal, ("schedule site", "task function"), rows)
    functions = [(tally.name, _definition(tally), tally) for tally in report.functions]
    _write_table(terminal, ("task function", "defined at"), functions)
    _write_list(terminal, "ran, and nobody looked:", filter(_is_unseen, report.sites))
    _write_list(terminal, "scheduled, and never ran:", filter(_is_stuck, report.sites))
    _write_list(terminal, "no test reaches:", filter(_is_unreached, report.sites))
    for note in _notes(report, complete):
        terminal.write_line(f"bgcheck: {note}")
    terminal.write_line(verdict(report))
    message = failure(report, fail_under)
    if message:
        terminal.write_line(message, red=True)


def place(tally: Tally) -> str:
    """Write where a task is scheduled: `shop.py:15 in create`."""
    return f"{tally.file}:{tally.line} in {tally.name}"


def _definition(tally: Tally) -> str:
    return f"{tally.file}:{tally.line}" if tally.file else "-"


def _is_unseen(site: Tally) -> bool:
    return site.unseen


def _is_stuck(site: Tally) -> bool:
    return site.scheduled > 0 and site.ran == 0


def _is_unreached(site: Tally) -> bool:
    return site.scheduled == 0


def _write_table(
    terminal: pytest.TerminalReporter,
    heads: tuple[str, str],
    rows: Sequence[tuple[str, str, Tally]],
) -> None:
    if not rows:
        return
    widths = [max(len(row[n]) for row in ((*heads, None), *rows)) for n in (0, 1)]  # type: ignore[arg-type]
    names = "  ".join(_COUNTS)
    terminal.write_line(f"{heads[0]:{widths[0]}}  {heads[1]:{widths[1]}}  {names}", bold=True)
    for first, second, tally in rows:
        counts = tally.counts()
        numbers = "  ".join(f"{counts[name]:{len(name)}}" for name in _COUNTS)
        line = f"{first:{widths[0]}}  {second:{widths[1]}}  {numbers}"
        terminal.write_line(line, red=not tally.ran, yellow=tally.unseen)
    terminal.write_line("")


def _write_list(terminal: pytest.TerminalReporter, title: str, sites: Iterable[Tally]) -> None:
    lines = [f"  {place(site)}: {', '.join(sorted(site.funcs))}{_in_tests(site)}" for site in sites]
    for line in [title, *lines] if lines else []:
        terminal.write_line(line)


def _in_tests(site: Tally) -> str:
    return f", in {counted(len(site.tests), 'test')}" if site.tests else ""


def _notes(report: Report, complete: bool) -> Iterable[str]:
    if report.uncertain:
        listed = ", ".join(f"{file}:{line}" for file, line in report.uncertain)
        yield f"not counted, because the source does not tell whose add_task it is: {listed}"
    if report.broken:
        yield f"not counted, because they could not be parsed: {', '.join(report.broken)}"
    if not complete:
        yield "a worker was lost, so that sites that it reached may be missing"


def verdict(report: Report) -> str:
    """Write the task coverage as one line."""
    asserted = sum(site.asserted > 0 for site in report.sites)
    return (
        f"task coverage {written(report.percent)}%: {report.ran} of "
        f"{counted(len(report.sites), 'schedule site')} ran, {asserted} asserted on"
    )


def failure(report: Report, fail_under: float | None) -> str | None:
    """Return why the task coverage fails the session, or None if it does not."""
    if report.error is not None:
        return f"bgcheck: {report.error}"
    if fail_under is None:
        return None
    if not report.sites:
        return (
            "bgcheck: no line that schedules a task was found, so that there is no task coverage "
            "to hold; name the code under test with coverage-source in [tool.bgcheck]"
        )
    if report.percent < fail_under:
        return (
            f"bgcheck: task coverage of {written(report.percent)}% is under the "
            f"{fail_under:g}% of --bgcheck-coverage-fail-under"
        )
    return None


def written(percent: float) -> str:
    """Write a percentage with at most one decimal, rounded down, so that 100 means all."""
    return f"{math.floor(percent * 10) / 10:g}"
