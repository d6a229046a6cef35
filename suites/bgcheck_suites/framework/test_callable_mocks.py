"""Mocks in the place of task functions."""

from typing import Any
from unittest.mock import AsyncMock, MagicMock, create_autospec

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log
from bgcheck_suites.lab import InProcess
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import outcome, place, run_task


def fate_of(lab: InProcess, log: Log, mock: Any) -> str:
    """Schedule a mock with the argument 42, and say what became of it."""
    mock.side_effect = lambda *args: log.mark("called", args)
    run_task(lab, mock, 42).settle()
    awaits = getattr(mock, "await_count", None)
    said = "" if awaits is None else (", awaited" if awaits else ", never awaited")
    return f"called {place(log.first('called'))}{said}"


@requirement("BGF-CALL-22")
def test_an_async_mock(in_process: InProcess, log: Log, observe: Observe) -> None:
    observe(fate_of(in_process, log, AsyncMock()))


@requirement("BGF-CALL-23")
def test_a_magic_mock(in_process: InProcess, log: Log, observe: Observe) -> None:
    mock = MagicMock()
    mock.await_count = None
    observe(fate_of(in_process, log, mock))


@requirement("BGF-CALL-24")
def test_an_autospec_of_an_async_function(
    in_process: InProcess, log: Log, observe: Observe
) -> None:
    async def work(number: int) -> None:
        raise NotImplementedError

    observe(fate_of(in_process, log, create_autospec(work)))


@requirement("BGF-CALL-25")
def test_an_autospec_that_is_called_with_wrong_arguments(
    in_process: InProcess, observe: Observe
) -> None:
    def work(number: int) -> None:
        raise NotImplementedError

    mock = create_autospec(work)
    exchange = run_task(in_process, mock, 1, 2)
    mock.assert_not_called()
    observe(outcome(exchange))
