"""The meeting point of patched frameworks and recordings. Imports nothing heavy.

Patching a class is a fact of the whole process, so there is one hub in a process: any number of
recordings connect to it, and while none is connected the patched functions pass straight through.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from bgcheck.events import Event, Sink
    from bgcheck.recorder.record import RequestInfo, ScheduledTask

Body = Callable[[], Awaitable[None]]
T = TypeVar("T")

ERRORS: Final = 100
"""How many errors of bgcheck itself are kept; each keeps the objects of its frames alive."""


class Policy(Protocol):
    """Decides what happens when the turn of a task has come."""

    async def turn(self, task: ScheduledTask, body: Body) -> Body | None:
        """Wait as long as the task must wait; return what to run, or None to drop the task."""


class Hub:
    """Sinks, the policy of the runner, and the errors of bgcheck itself.

    Attributes:
        sinks: who is told what happens. A sink with `keeps_live = False` watches a whole session:
            it keeps nothing alive, and it hears of requests that outlive their test as well.
        keeps_live: a sink wants live arguments and errors kept.
        watched: a sink watches the session.
    """

    def __init__(self) -> None:
        self.sinks: tuple[Sink, ...] = ()
        self.keeps_live: bool = False
        self.watched: bool = False
        self.policy: Policy | None = None
        self.errors: list[BaseException] = []
        self.recording_number: int = 0
        self.request_numbers: Iterator[int] = itertools.count(1)
        self.task_numbers: Iterator[int] = itertools.count(1)

    def emit(self, event: Event, recording: int | None = None) -> None:
        """Hand an event to every sink. An error of a sink is kept and never reaches user code.

        Args:
            event: what happened.
            recording: the recording it belongs to; only a watching sink is told of a past one.
        """
        late = recording is not None and recording != self.recording_number
        for sink in self.sinks:
            if late and _keeps_live(sink):
                continue
            try:
                sink(event)
            except Exception as error:  # any bug of bgcheck
                self.note(error)

    def guard(self, part: Callable[..., T], *args: Any) -> T | None:
        """Call a part of bgcheck. An error in it is kept for a report and never changes a test."""
        try:
            return part(*args)
        except Exception as error:  # any bug of bgcheck
            self.note(error)
            return None

    def note(self, error: BaseException) -> None:
        """Keep an error of bgcheck itself for a report."""
        if len(self.errors) < ERRORS:
            self.errors.append(error)

    @contextmanager
    def connected(self, sink: Sink) -> Iterator[None]:
        """Send events to `sink` for a block; the first of nested recordings starts all numbers."""
        if not self.keeps_live:
            self.restart()
        self._connect((*self.sinks, sink))
        try:
            yield
        finally:
            self._connect(tuple(other for other in self.sinks if other is not sink))

    def _connect(self, sinks: tuple[Sink, ...]) -> None:
        self.sinks = sinks
        self.keeps_live = any(map(_keeps_live, sinks))
        self.watched = not all(map(_keeps_live, sinks))

    def restart(self) -> None:
        """Count requests and tasks from 1 again; tasks recorded before belong to the past."""
        self.recording_number += 1
        self.request_numbers = itertools.count(1)
        self.task_numbers = itertools.count(1)


def _keeps_live(sink: Sink) -> bool:
    return getattr(sink, "keeps_live", True)


hub: Hub = Hub()

current_request: ContextVar[RequestInfo | None] = ContextVar("bgcheck_request", default=None)
current_task: ContextVar[ScheduledTask | None] = ContextVar("bgcheck_task", default=None)
