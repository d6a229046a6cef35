"""The checks in a pytest session: a plugin that is registered unless they are off."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bgcheck.config import hands_tests_out
from bgcheck.instrument.hub import hub
from bgcheck.marker import Marks, marks_of
from bgcheck.modes import RUNNING

if TYPE_CHECKING:
    from collections.abc import Generator

    from bgcheck.checks.base import Finding
    from bgcheck.checks.engine import Engine, TestRun
    from bgcheck.config import Options

KEY = "bgcheck"
"""The attribute of a test report, and the entry of xdist's worker output, that carry results."""


class Watch:
    """Runs the checks in this process and puts what they find into the test reports.

    Under pytest-xdist each worker has one; the reports travel to the controller.
    """

    def __init__(self, config: pytest.Config, options: Options) -> None:
        from bgcheck.checks.session import CheckSession

        self.config = config
        self.options = options
        self.session: CheckSession = CheckSession(options, str(config.rootpath))
        self._connections = ExitStack()
        self._payloads: dict[str, dict[str, Any]] = {}
        self._collected: list[str] = []
        self._run: TestRun | None = None

    @property
    def engine(self) -> Engine:
        """What takes the events."""
        return self.session.engine

    def connect(self) -> None:
        """Take events from now on."""
        self._connections.enter_context(self.session.instruments())
        if self.session.definitions is not None:
            self._connections.enter_context(hub.connected(self.session.definitions))
        self._connections.enter_context(hub.connected(self.engine))

    def catch_up(self, item: pytest.Item | None) -> None:
        """Give what happens from here on to a test that has begun before."""
        if item is not None:
            hub.restart()
            self.engine.start_test(item.nodeid)
            self._run = self.engine.current

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note what was collected, before anything is deselected."""
        if self.options.baseline is not None or self.options.json is not None:
            self._collected = [item.nodeid for item in items]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Give what happens from here on to this test."""
        hub.restart()
        self.engine.start_test(item.nodeid)
        self._run = self.engine.current
        try:
            return (yield)
        finally:
            self.engine.finish_test()
            self._run = None
            hub.restart()  # what comes now without a request of the test is nobody's

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Judge the tasks of the test's body; in strict mode a finding fails it."""
        try:
            yield
        except BaseException as error:
            self.engine.settle(error)
            self._collect(item, "call")
            raise
        self.engine.settle()
        self._fail(item, self._collect(item, "call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Judge what fixtures did at their end, and what was left open."""
        try:
            yield
        finally:
            self.engine.finish_test()
            findings = self._collect(item, "teardown")
        self._fail(item, findings)

    def _collect(self, item: pytest.Item, when: str) -> list[Finding]:
        """Put what was found since the last call into the report of this phase."""
        if self._run is None:
            return []
        findings = self.session.kept(self._run.take_findings(), self._marks(item).ignore)
        tasks = self._run.take_tasks()
        payload = self.session.payload(findings, tasks, item.nodeid)
        if payload:
            self._payloads[when] = payload
        return findings

    def _marks(self, item: pytest.Item) -> Marks:
        try:
            return marks_of(item)
        except pytest.fail.Exception:  # its setup has failed for it
            return Marks()

    def _fail(self, item: pytest.Item, findings: list[Finding]) -> None:
        __tracebackhide__ = True
        failing = self.session.failing(findings) if self.options.mode == "strict" else []
        if failing:
            from bgcheck.report.messages import failure

            pytest.fail(failure(list(map(self.session.finding_line, failing))), pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the results of a phase into its report, which xdist carries to the controller."""
        payload = self._payloads.pop(call.when, None)
        if payload is not None and self.config.getoption("xmlpath", None):
            item.user_properties += self.session.properties(payload)
        report = yield
        if payload is not None:
            setattr(report, KEY, payload)
        if call.when == "call":
            _tell_output(report.capstdout + report.capstderr)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_sessionfinish")
    def note_errors(self) -> Generator[None, object, object]:
        """Note the errors of bgcheck before they are reported and forgotten."""
        self.session.note_errors()
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what came outside of any test to the controller; stop taking events."""
        self.engine.finish_session()
        findings, tasks = self.engine.take_late()
        payload = self.session.payload(self.session.kept(findings, ()), tasks, None)
        payload.update(self.session.notes(), collected=self._collected)
        if self.options.coverage:
            from bgcheck.coverage.sources import imported_packages

            payload["imported"] = imported_packages(session.config.rootpath)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[KEY] = payload
        else:
            self.config.stash[late] = payload
        self.disconnect()

    def disconnect(self) -> None:
        """Take no more events."""
        self._connections.close()


def _tell_output(text: str) -> None:
    """Hand on what the body of a test has written."""
    if text:
        from bgcheck.events import OutputCaptured

        hub.emit(OutputCaptured(text))


late: pytest.StashKey[dict[str, Any]] = pytest.StashKey[dict[str, Any]]()
"""What this process found outside of its tests."""


def watch(config: pytest.Config, options: Options) -> None:
    """Run the checks in this process, and report in it unless it is a worker of xdist."""
    runs_tests = not hands_tests_out(config)
    if runs_tests:
        watching = Watch(config, options)
        config.pluginmanager.register(watching, "bgcheck-watch")
        watching.connect()
        watching.catch_up(config.stash.get(RUNNING, None))
        config.add_cleanup(watching.disconnect)  # a session that never began
    if not hasattr(config, "workerinput"):
        from bgcheck.collect import Collector

        config.pluginmanager.register(Collector(config, options), "bgcheck-collector")
