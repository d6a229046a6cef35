"""Run small apps with planted faults in a pytest session of their own, and read the findings."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any

import fastapi.testclient  # noqa: F401 - the inner sessions find it imported, and are quick
import pytest

from bgcheck.instrument.hub import hub
from bgcheck.watch import KEY, late

HEADER = """
import asyncio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.responses import JSONResponse, Response

app = FastAPI()
"""

TEST = """
def test_requests():
    with TestClient(app, raise_server_exceptions=False) as client:
        for method, path in REQUESTS:
            client.request(method, path)
"""


EXAMPLE_TEST = """
def test_each_route_twice():
    from fastapi.testclient import TestClient
    with TestClient(app, raise_server_exceptions=False) as client:
        for route in app.routes:
            for method in sorted(getattr(route, "methods", None) or ()):
                if getattr(route, "include_in_schema", False) and method != "HEAD":
                    client.request(method, route.path)
                    client.request(method, route.path)
"""


class _Results:
    """A plugin of the inner session that keeps what its tests found."""

    def __init__(self) -> None:
        self.findings: list[dict[str, Any]] = []
        self.errors: list[BaseException] = []

    @pytest.hookimpl(tryfirst=True, specname="pytest_sessionfinish")
    def keep_errors(self) -> None:
        self.errors += hub.errors

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.findings += getattr(report, KEY, {}).get("findings", ())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        result = yield
        self.findings += session.config.stash.get(late, {}).get("findings", ())
        return result


@dataclass
class Outcome:
    """What an inner session came to.

    Attributes:
        findings: as the JSON lines file has them.
        result: the run itself.
    """

    findings: list[dict[str, Any]]
    result: pytest.RunResult

    @property
    def codes(self) -> list[str]:
        """The codes that were found, sorted, once each."""
        return sorted({finding["code"] for finding in self.findings})


class Lab:
    """Runs apps. The `lab` fixture.

    Args:
        pytester: makes the inner sessions.
        ignore: the checks that are off, where all are on.
    """

    def __init__(self, pytester: pytest.Pytester, ignore: str = "") -> None:
        self.pytester = pytester
        self.ignore = [f"--bgcheck-ignore={ignore}"] if ignore else []
        # other plugins take half of the time to load
        pytester._monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        self._numbers: Iterator[int] = itertools.count(1)

    def run(
        self,
        app: str,
        *requests: str,
        test: str | None = None,
        select: str = "ALL",
        mode: str = "report",
    ) -> Outcome:
        """Run an app under the checks.

        Args:
            app: the source of a module; `app`, FastAPI's and Starlette's usual names and pytest
                are there already.
            requests: what to send, such as `POST /orders`; the client takes a 500 as it comes.
            test: the source of a test module's tests instead of `requests`.
            select: the checks that are on.
            mode: `report` or `strict`.
        """
        sent = [tuple(request.split(" ", 1)) for request in requests]
        body = TEST if test is None else dedent(test)
        return self.run_module(f"{HEADER}{dedent(app)}\nREQUESTS = {sent!r}\n{body}", select, mode)

    def run_example(self, source: str) -> Outcome:
        """Run an example of a page: its own tests, or else each of its routes twice."""
        return self.run_module(source if "def test_" in source else source + EXAMPLE_TEST)

    def run_module(self, source: str, select: str = "ALL", mode: str = "report") -> Outcome:
        """Run a test module under the checks.

        Args:
            source: the whole source.
            select: the checks that are on.
            mode: `report` or `strict`.
        """
        file = self.pytester.makepyfile(**{f"test_case_{next(self._numbers)}": source})
        results = _Results()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the faulty apps
            result = self.pytester.runpytest_inprocess(
                file, "-q", f"--bgcheck={mode}", f"--bgcheck-select={select}",
                "-p", "bgcheck.plugin", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir=.",
                *self.ignore,
                plugins=[results],
            )  # fmt: skip
        for error in results.errors:
            raise AssertionError("an internal error of bgcheck") from error
        return Outcome(results.findings, result)

    def assert_found(
        self, code: str, app: str, *requests: str, test: str | None = None, line: str | None = None
    ) -> dict[str, Any]:
        """Assert that a faulty app is found, and by this check alone.

        Args:
            code: the expected code.
            app: the source of the app.
            requests: what to send.
            test: the tests instead.
            line: a text that the schedule line holds.

        Returns:
            The finding.
        """
        __tracebackhide__ = True
        outcome = self.run(app, *requests, test=test)
        assert outcome.codes == [code], outcome.findings
        finding = outcome.findings[0]
        if line is not None:
            assert line in self._source_line(finding)
        return finding

    def _source_line(self, finding: dict[str, Any]) -> str:
        site = finding["site"]
        assert site is not None
        return (self.pytester.path / site["file"]).read_text().splitlines()[site["line"] - 1]

    def assert_silent(
        self, app: str, *requests: str, test: str | None = None, passes: bool = True
    ) -> None:
        """Assert that no check at all finds anything in an app, and that its tasks ran.

        Args:
            app: the source of the app.
            requests: what to send.
            test: the tests instead.
            passes: the inner tests pass.
        """
        __tracebackhide__ = True
        outcome = self.run(app, *requests, test=test)
        assert outcome.findings == []
        if passes:
            assert outcome.result.ret == pytest.ExitCode.OK


def endpoint(body: str, path: str = "/orders") -> str:
    """Write an async endpoint with injected `tasks` around a body."""
    head = f"@app.post({path!r})\nasync def create(tasks: BackgroundTasks):\n"
    return head + indent(dedent(body).strip(), "    ") + "\n"
