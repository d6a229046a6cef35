"""The meeting point of patched frameworks and recordings. Imports nothing heavy.

Patching a class is a fact of the whole process, so there is one hub in a process: any number of
recordings connect to it, and while none is connected the patched functions pass straight through.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bgcheck.events import Event, Sink
    from bgcheck.recorder.record import RequestInfo, ScheduledTask

Body = Callable[[], Awaitable[None]]


class Policy(Protocol):
    """Decides what happens when the turn of a task has come."""

    async def turn(self, task: ScheduledTask, body: Body) -> Body | None:
        """Wait as long as the task must wait; return what to run, or None to drop the task."""


class Hub:
    """Sinks, the policy of the runner, and the errors of bgcheck itself."""

    def __init__(self) -> None:
        self.sinks: tuple[Sink, ...] = ()
        self.policy: Policy | None = None
        self.errors: list[BaseException] = []
        self.recording_number = 0
        self.request_numbers: Iterator[int] = itertools.count(1)
        self.task_numbers: Iterator[int] = itertools.count(1)

    def emit(self, event: Event) -> None:
        """Hand an event to every sink. An error of a sink is kept and never reaches user code."""
        for sink in self.sinks:
            try:
                sink(event)
            except Exception as error:  # a bug of bgcheck must not change a test
                self.errors.append(error)

    @contextmanager
    def connected(self, sink: Sink) -> Iterator[None]:
        """Send events to `sink` for a block; the first of nested recordings starts all numbers."""
        if not self.sinks:
            self.restart()
        self.sinks = (*self.sinks, sink)
        try:
            yield
        finally:
            self.sinks = tuple(other for other in self.sinks if other is not sink)

    def restart(self) -> None:
        """Count requests and tasks from 1 again; tasks recorded before belong to the past."""
        self.recording_number += 1
        self.request_numbers = itertools.count(1)
        self.task_numbers = itertools.count(1)


hub = Hub()

current_request: ContextVar[RequestInfo | None] = ContextVar("bgcheck_request", default=None)
current_task: ContextVar[ScheduledTask | None] = ContextVar("bgcheck_task", default=None)
