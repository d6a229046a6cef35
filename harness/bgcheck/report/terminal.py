"""The findings in pytest's terminal summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgcheck.report.findings import Findings, Line, counted
from bgcheck.report.messages import details, headline, place, shown_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from bgcheck.report.baseline import Comparison


def summarize(
    terminal: pytest.TerminalReporter, findings: Findings, baseline: Comparison | None
) -> None:
    """Print the findings: two lines each, with evidence at `-v`; nothing where there is nothing."""
    lines = findings.merged if baseline is None else baseline.new
    if lines or (baseline is not None and baseline.stale):
        terminal.section(_title(findings, baseline), sep="=", yellow=True)
        for line in lines:
            _write(terminal, line)
        if baseline is not None:
            _write_stale(terminal, baseline)
        if lines and terminal.config.get_verbosity() < 1:
            terminal.write_line("evidence: pytest -v; more: bgcheck explain CODE")
    _write_quiet(terminal, findings)


def _title(findings: Findings, baseline: Comparison | None) -> str:
    if baseline is not None:
        known = len(findings.merged) - len(baseline.new)
        return (
            f"bgcheck: {counted(len(baseline.new), 'new finding')}, {known} in the baseline, "
            f"{len(baseline.stale)} of it no longer found"
        )
    levels = findings.levels()
    parts = [
        counted(levels[level], noun)
        for level, noun in (("error", "error"), ("warning", "warning"), ("opt-in", "opt-in"))
        if levels[level]
    ]
    return f"bgcheck: {counted(len(findings.merged), 'finding')} ({', '.join(parts)})"


def _write(terminal: pytest.TerminalReporter, line: Line) -> None:
    count = f" ({line['count']} times)" if line["count"] > 1 else ""
    terminal.write_line(f"{place(line)}: {headline(line)}{count}")
    terminal.write_line(f"  test       {shown_by(line)}")
    if terminal.config.get_verbosity() >= 1:
        for text in details(line):
            terminal.write_line(text)


def _write_stale(terminal: pytest.TerminalReporter, baseline: Comparison) -> None:
    for entry in baseline.stale:
        terminal.write_line(
            f"{entry.file}: {entry.code} of {entry.func or '-'} in {entry.function} is in the "
            "baseline and was not found any more"
        )
    if baseline.stale:
        terminal.write_line(f"  way out    bgcheck baseline write --file {baseline.path.name}")


def _write_quiet(terminal: pytest.TerminalReporter, findings: Findings) -> None:
    """Say once what the checks could not see, in a session that had tasks."""
    for reason, codes in _by_reason(findings.quiet).items():
        terminal.write_line(f"bgcheck: not checked: {_ranges(codes)} ({reason})")


def _by_reason(quiet: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, reason in sorted(quiet.items()):
        found.setdefault(reason, []).append(code)
    return found


def _ranges(codes: Iterable[str]) -> str:
    """Write codes shortly: `BG401 to BG403, BG405`."""
    runs: list[list[int]] = []
    for number in sorted(int(code[2:]) for code in codes):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"BG{run[0]} to BG{run[-1]}" if len(run) > 2 else ", ".join(f"BG{n}" for n in run)
        for run in runs
    )
