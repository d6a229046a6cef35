"""What `bgcheck.instrument` tells the rest of bgcheck: one small object for each happening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from bgcheck.recorder.record import RequestInfo, ScheduledTask


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """An application was called with an http or websocket scope."""

    request: RequestInfo


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """The server has taken the status and headers of the response."""

    request: RequestInfo


@dataclass(frozen=True, slots=True)
class ResponseCompleted:
    """The server has taken the last byte of the response."""

    request: RequestInfo


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """The application call is over: tasks, dependencies and middleware are done."""

    request: RequestInfo
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class TaskScheduled:
    """User code handed a function with its arguments to the framework."""

    task: ScheduledTask


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task begins to run."""

    task: ScheduledTask


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task has its last outcome: it ran, was skipped, or was lost.

    `error` is what it raised, alive only while the event is handled.
    """

    task: ScheduledTask
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class TestStarted:
    """A test begins, with its fixtures; `test` is its node id."""

    __test__: ClassVar[bool] = False

    test: str


@dataclass(frozen=True, slots=True)
class TaskSettled:
    """Nothing more is expected of a task in its test: its request and the test's body are over.

    Comes once for each task. `test_error` is what the test itself raised, alive only while the
    event is handled.
    """

    task: ScheduledTask
    test_error: BaseException | None


@dataclass(frozen=True, slots=True)
class TestFinished:
    """A test and the teardown of its fixtures are over, and all its tasks are settled."""

    __test__: ClassVar[bool] = False

    test: str


@dataclass(frozen=True, slots=True)
class SessionFinished:
    """The last test is over."""


Event = (
    RequestStarted
    | ResponseStarted
    | ResponseCompleted
    | RequestFinished
    | TaskScheduled
    | TaskStarted
    | TaskFinished
    | TestStarted
    | TaskSettled
    | TestFinished
    | SessionFinished
)
Sink = Callable[[Event], None]
