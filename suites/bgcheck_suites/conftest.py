"""Fixtures of the suites, and the hooks that turn a test's outcome into a requirement's status."""

from collections.abc import Generator, Iterator
from typing import Protocol

import pytest

from bgcheck.report.stack import resolved_stack

from .answers.expectations import EXPECTATIONS, expecting
from .events import Log
from .gating import VERDICT
from .judge import Verdict, check_value, judge
from .lab import InProcess, Lab, OnServer
from .marks import NotApplicable, place_of, requirement_id
from .matrix.database import shipped_record
from .registry import Row, registry
from .server import Server, running_server

OBSERVED = pytest.StashKey[str]()


class Observe(Protocol):
    """Records the value of a behaviour, and compares it with what is expected here."""

    def __call__(self, value: str) -> None:
        """Record the value."""
        ...


@pytest.fixture
def log() -> Log:
    """The event log of this probe."""
    return Log()


@pytest.fixture(scope="session")
def uvicorn_server() -> Iterator[Server]:
    """One real server for all probes."""
    with running_server() as server:
        yield server


@pytest.fixture
def in_process(log: Log) -> InProcess:
    """Measure in process, with Starlette's TestClient."""
    return InProcess(log)


@pytest.fixture
def on_server(log: Log, uvicorn_server: Server) -> Iterator[OnServer]:
    """Measure with a real client against a real server."""
    place = OnServer(log, uvicorn_server)
    yield place
    place.close()


@pytest.fixture(params=["in-process", "server"])
def lab(request: pytest.FixtureRequest) -> Lab:
    """Measure in both places, one after the other."""
    name = "in_process" if request.param == "in-process" else "on_server"
    measured: Lab = request.getfixturevalue(name)
    return measured


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Observe:
    """Record the value of a behaviour; fails where the recorded expectation is stale."""
    recording = request.config.getoption("conform_record", default=False)
    expected = None if recording else _expected(registry()[str(requirement_id(request.node))])
    place = place_of(request.node.nodeid)

    def record(value: str) -> None:
        __tracebackhide__ = True
        request.node.stash[OBSERVED] = value
        check_value(expected, value, place)

    return record


def _expected(row: Row) -> str | None:
    """Return the value on this stack: of the measured database, else of the row."""
    stack = resolved_stack()

    def measured(id_: str) -> str | None:
        record = shipped_record(id_)
        return record.value_for(stack) if record is not None else None

    if shipped_record(row.id) is not None:
        return measured(row.id)
    listed = row.value_for(stack, measured)
    return listed.value if listed is not None else None


def _row(item: pytest.Item) -> Row | None:
    row = registry().get(requirement_id(item) or "")
    return row and expecting(row, item.config.stash.get(EXPECTATIONS, {}))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what does not apply to this stack, with the reason."""
    row = _row(item)
    reason = row.not_applicable(resolved_stack()) if row is not None else ""
    if reason:
        raise NotApplicable(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the report the status of the requirement."""
    report = yield
    row = _row(item)
    if row is None or (call.when != "call" and call.excinfo is None):
        return report
    error = call.excinfo.value if call.excinfo is not None else None
    observed = item.stash.get(OBSERVED, None)
    verdict = item.stash.get(VERDICT, None) or judge(row, resolved_stack(), error, observed)
    _apply(report, verdict)
    report.user_properties += [
        ("requirement", row.id),
        ("status", verdict.status),
        ("message", verdict.message),
        *(("evidence", line) for line in verdict.evidence or _events(item)),
        *((("observed", observed),) if observed is not None else ()),
        *((("suite_error", "true"),) if verdict.suite_error else ()),
    ]
    return report


def _events(item: pytest.Item) -> tuple[str, ...]:
    """Return the events of a probe, where they come in the same order each time."""
    log = getattr(item, "funcargs", {}).get("log")
    if not isinstance(log, Log) or log.of_server:
        return ()
    return tuple(f"#{event.number} {event.label} ({event.kind})" for event in log.events)


def _apply(report: pytest.TestReport, verdict: Verdict) -> None:
    """Let pytest count the test as the status says: expected failures and warnings as xfailed."""
    if verdict.status in ("expected-fail", "warn"):
        report.outcome = "skipped"
        report.wasxfail = verdict.message
    elif verdict.status in ("unexpected-pass", "not-testable") and report.outcome != "failed":
        report.outcome = "failed"
        report.longrepr = verdict.message
