"""How tasks run in a test: the marker, the option and the configuration. Imports no framework."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bgcheck.marker import MODES, marks_of

if TYPE_CHECKING:
    from bgcheck.runner.blocks import Mode
    from bgcheck.runner.controls import BackgroundTasksLog

RUNNING: pytest.StashKey[pytest.Item | None] = pytest.StashKey[pytest.Item | None]()
"""The test whose setup, call or teardown is under way."""

left_over: pytest.StashKey[list[str]] = pytest.StashKey[list[str]]()
"""Lines on tasks that were still held when their test ended."""

_lasting: pytest.StashKey[ExitStack] = pytest.StashKey[ExitStack]()


class RunOptions(NamedTuple):
    """How the tasks of one test run."""

    mode: Mode
    clock: str


def add_options(parser: pytest.Parser) -> None:
    """Add `--bgcheck-mode` and the ini value `bgcheck_mode`."""
    parser.getgroup("bgcheck").addoption(
        "--bgcheck-mode",
        metavar="MODE",
        help="how background tasks run: inline (default), hold or drop",
    )
    parser.addini(
        "bgcheck_mode", "how background tasks run: inline, hold or drop", default="inline"
    )


def check(config: pytest.Config) -> None:
    """Refuse a mode that does not exist.

    Raises:
        pytest.UsageError: the option or the configuration names one.
    """
    mode = _configured(config)
    if mode not in MODES:
        raise pytest.UsageError(
            f"bgcheck_mode: {mode!r} is no mode. Modes are: {', '.join(MODES)}."
        )


def _configured(config: pytest.Config) -> Any:
    return config.getoption("bgcheck_mode") or config.getini("bgcheck_mode")


def of(item: pytest.Item) -> RunOptions:
    """Return how the tasks of a test run; the nearest marker that says so wins.

    Raises:
        pytest.fail.Exception: a marker has an argument that does not exist.
    """
    marks = marks_of(item)
    return RunOptions(marks.mode or _configured(item.config), marks.clock or "real")


def prepare(item: pytest.Item) -> None:
    """Have the fixture set up where a test needs its effect without naming it."""
    names: list[str] | None = getattr(item, "fixturenames", None)
    if names is not None and "bgtasks" not in names and of(item) != ("inline", "real"):
        names.insert(0, "bgtasks")


@contextmanager
def recorded(item: pytest.Item, verbosity: int) -> Iterator[BackgroundTasksLog]:
    """Record the tasks of a test, in the mode and with the clock that it asks for."""
    from bgcheck.recording import record

    options = of(item)
    with record(options.mode) as log:
        log.recording.verbosity = verbosity
        log.runner.before_clock = lambda: keep_sleep(item.session)
        if options.clock == "virtual":
            with log.runner.virtual_time("tasks"):
                yield log
        else:
            yield log
    _report(item, log)


def keep_sleep(session: pytest.Session) -> None:
    """Have all virtual clocks of a session share the search for what holds `time.sleep`.

    It looks through all objects there are, and so takes longer than most tests.
    """
    from bgcheck.runner.clock import lasting_sleep

    if _lasting not in session.stash:
        session.stash[_lasting] = stack = ExitStack()
        stack.enter_context(lasting_sleep())
        session.addfinalizer(lambda: restore_sleep(session))


def restore_sleep(session: pytest.Session) -> None:
    """Put `time.sleep` back, where `keep_sleep` has replaced it."""
    if _lasting in session.stash:
        session.stash[_lasting].close()
        del session.stash[_lasting]


def _report(item: pytest.Item, log: BackgroundTasksLog) -> None:
    """Say which tasks were still held at the end, and what came after a response unseen."""
    held = [f"{task.name} was still held at the end of the test" for task in log.runner.left_over]
    late = [
        f"{exchange.method} {exchange.path} failed after its response: {error!r}"
        for error, exchange in log.runner.late_errors
    ]
    if held or late:
        item.add_report_section("teardown", "bgcheck", "\n".join([*held, *late]))
    if held:
        item.config.stash.setdefault(left_over, []).extend(
            f"{item.nodeid}: {line}; its outcome was {task.outcome}"
            for line, task in zip(held, log.runner.left_over, strict=True)
        )


def summarize(terminal: pytest.TerminalReporter) -> None:
    """Print which tasks were still held when their test ended."""
    for line in terminal.config.stash.get(left_over, []):
        terminal.write_line(f"bgcheck: {line}")
