"""The results of a pytest session: merged from all its processes, written, printed and gated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from bgcheck.checks.suppress import relative_to
from bgcheck.report.baseline import Comparison, Ran, compare
from bgcheck.report.findings import Findings, Line, failing
from bgcheck.report.jsonlines import FindingsFile
from bgcheck.watch import KEY, late

if TYPE_CHECKING:
    from pathlib import Path

    from bgcheck.config import Options
    from bgcheck.coverage.measure import Report, TaskCoverage


class Collector:
    """Takes results from test reports and from workers of xdist; runs in the main process only."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self.config = config
        self.options = options
        self.findings: Findings = Findings()
        self.comparison: Comparison | None = None
        self.coverage: TaskCoverage | None = None
        self.measured: Report | None = None
        if options.coverage and not config.getoption("collectonly", False):
            from bgcheck.coverage.measure import TaskCoverage

            self.coverage = TaskCoverage(config, options.coverage_source)
        self._ran: set[str] = set()
        self._collected: set[str] = set()
        self._file = FindingsFile(options.json, argv=config.invocation_params.args)

    def pytest_sessionstart(self) -> None:
        """Begin the JSON lines file."""
        self._file.begin()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test has found, in this process or in a worker."""
        if report.when == "call" and not report.skipped:
            self._ran.add(report.nodeid)
        self._take(getattr(report, KEY, None))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what a worker of xdist found outside of its tests; a crashed one cannot tell."""
        output = getattr(node, "workeroutput", None)
        if output is None or KEY not in output:
            self.findings.complete = False
            return
        self._take(output[KEY])

    def _take(self, payload: dict[str, Any] | None) -> None:
        if payload:
            self._collected.update(payload.get("collected", ()))
            self.findings.add(payload)
            self._file.add(payload)
            if self.coverage is not None:
                self.coverage.add(payload)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files; fail the session for what no test could be failed for."""
        self._take(self.config.stash.get(late, None))
        if self.options.baseline is not None:
            self._compare(self.options.baseline)
        if self.coverage is not None:
            self.measured = self.coverage.measure()
        self._file.finish(self.findings, self._tests(), self._coverage_lines())
        if self.options.sarif is not None:
            from bgcheck.report import sarif

            sarif.write(self.options.sarif, self.findings.merged, self.config.rootpath)
        fails = self._fails() or self._falls_short()
        if session.exitstatus == pytest.ExitCode.OK and fails:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _coverage_lines(self) -> list[Line]:
        if self.measured is None:
            return []
        return self.measured.lines(self.options.coverage_fail_under)

    def _falls_short(self) -> bool:
        from bgcheck.report.coverage import failure

        report = self.measured
        return report is not None and bool(failure(report, self.options.coverage_fail_under))

    def _compare(self, baseline: Path) -> None:
        root = self.config.rootpath
        self.comparison = compare(baseline, self.findings.merged, self._tests(), root)

    def _tests(self) -> Ran:
        files = {test.partition("::")[0] for test in self._collected}
        return Ran(
            frozenset(self._ran),
            frozenset(self._collected - self._ran),
            frozenset(files - self._narrowed(files)),
        )

    def _narrowed(self, files: set[str]) -> set[str]:
        """The files of which only some tests were collected."""
        if self.config.getoption("lf", False):
            return files
        named = {arg.partition("::")[0] for arg in self.config.args if "::" in arg}
        here = self.config.invocation_params.dir
        return {relative_to(str(here / name), str(self.config.rootpath)) for name in named}

    def _fails(self) -> bool:
        if self.comparison is not None:
            return not self.comparison.holds
        return self.options.mode == "strict" and bool(failing(self.findings.merged))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the findings, and annotate the lines where GitHub Actions runs the tests."""
        from bgcheck.report import coverage, terminal
        from bgcheck.report.github import workflow_commands

        terminal.summarize(terminalreporter, self.findings, self.comparison)
        if self.measured is not None:
            coverage.summarize(
                terminalreporter,
                self.measured,
                fail_under=self.options.coverage_fail_under,
                complete=self.findings.complete,
            )
        if os.environ.get("GITHUB_ACTIONS") == "true":
            lines: list[Line] = self.findings.merged
            for command in workflow_commands(lines, self.config.rootpath):
                terminalreporter.write_line(command)
