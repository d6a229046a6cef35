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
    from types import FunctionType

    from bgcheck.events import Event, Sink
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

Body = Callable[[], Awaitable[None]]
T = TypeVar("T")

ERRORS: Final = 100
"""How many errors of bgcheck itself are kept; each keeps the objects of its frames alive."""


class Policy(Protocol):
    """Decides what happens when the turn of a task has come."""

    async def turn(self, task: ScheduledTask, body: Body) -> Body | None:
        """Wait as long as the task must wait; return what to run, or None to drop the task."""


class PlainSink(Protocol):
    """A sink that can do without the events of plain tasks, and has `takes_plain = True`.

    Attributes:
        plain_tasks: where the plain tasks of the current recording are put at once, if at all.
        quiet: it has no use for the progress of requests.
    """

    plain_tasks: list[ScheduledTask] | None
    quiet: bool

    def take_plain(self, task: ScheduledTask) -> None:
        """A plain task was scheduled."""

    def end_plain(self, request: RequestInfo) -> None:
        """A request is over: its tasks, if any, are plain, and have succeeded."""


class Hub:
    """Sinks, the policy of the runner, and the errors of bgcheck itself.

    Attributes:
        sinks: who is told what happens. A sink with `keeps_live = False` watches a whole session:
            it keeps nothing alive, and it hears of requests that outlive their test as well.
            One may have `unwanted`, classes of events that it has no use for,
            `restarted(number)`, which is called with the number of each new recording, and
            `watches(func)`, which names functions whose tasks are never plain.
        keeps_live: a sink wants live arguments and errors kept.
        watched: a sink watches the session.
        unwanted: classes of events that no sink has a use for: none of them need be made.
        plain_sink: the only sink, if it has no use for events of plain tasks.
        quiet: this sink has no use for events of the progress of requests either.
    """

    def __init__(self) -> None:
        self.sinks: tuple[Sink, ...] = ()
        self._watching: tuple[Sink, ...] = ()
        self.keeps_live: bool = False
        self.watched: bool = False
        self.policy: Policy | None = None
        self.unwanted: frozenset[type] = frozenset()
        self.plain_sink: PlainSink | None = None
        self.quiet: bool = False
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
        for sink in self._watching if late else self.sinks:
            try:
                sink(event)
            except Exception as error:  # any bug of bgcheck
                self.note(error)

    def refresh(self) -> None:
        """Ask the sinks anew which events they want."""
        nothing: frozenset[type] = frozenset()
        unwanted = [getattr(sink, "unwanted", nothing) for sink in self.sinks]
        self.unwanted = nothing.union(*unwanted[:1]).intersection(*unwanted)
        alone: Any = self.sinks[0] if len(self.sinks) == 1 else None
        self.plain_sink = alone if getattr(alone, "takes_plain", False) else None
        self.quiet = self.plain_sink is not None and self.plain_sink.quiet

    def watches(self, func: FunctionType) -> bool:
        """Whether a sink that watches the session wants to hear of every call of a function."""
        return any(getattr(sink, "watches", _watches_none)(func) for sink in self._watching)

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
        self._tell_restarted((sink,))
        try:
            yield
        finally:
            self._connect(tuple(other for other in self.sinks if other is not sink))

    def _connect(self, sinks: tuple[Sink, ...]) -> None:
        self.sinks = sinks
        self.keeps_live = any(map(_keeps_live, sinks))
        self._watching = tuple(sink for sink in sinks if not _keeps_live(sink))
        self.watched = bool(self._watching)
        self.refresh()

    def restart(self) -> None:
        """Count requests and tasks from 1 again; tasks recorded before belong to the past."""
        self.recording_number += 1
        self.request_numbers = itertools.count(1)
        self.task_numbers = itertools.count(1)
        self._tell_restarted(self._watching)

    def _tell_restarted(self, sinks: tuple[Sink, ...]) -> None:
        for sink in sinks:
            restarted = getattr(sink, "restarted", None)
            if restarted is not None:
                restarted(self.recording_number)


def _keeps_live(sink: Sink) -> bool:
    return getattr(sink, "keeps_live", True)


def _watches_none(func: FunctionType) -> bool:
    return False


hub: Hub = Hub()

current_request: ContextVar[RequestInfo | None] = ContextVar("bgcheck_request", default=None)
current_task: ContextVar[ScheduledTask | None] = ContextVar("bgcheck_task", default=None)
