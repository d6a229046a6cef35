"""BG4: one session and several users at the same time."""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.database_base import DatabaseCheck
from bgcheck.recorder.failure import related
from bgcheck.recorder.loops import current_asyncio_task
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from bgcheck.checks.base import Default, Finding
    from bgcheck.events import StatementFinished, StatementStarted, TaskFinished
    from bgcheck.recorder.database import SessionInfo
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

_WAITS: Final = frozenset({"_queue", "anyio", "asyncio", "concurrent", "queue", "threading"})
"""Packages whose functions a thread stands in while it waits for another one."""


@dataclass
class _Use:
    """The last use of a session: by whom, and by which call of which function in its thread."""

    thread: int
    asyncio_task: weakref.ref[Any] | None
    call: tuple[int, int] | None
    sends: bool
    task: ScheduledTask | None

    def is_of(self, other: _Use) -> bool:
        """Whether both are by the same flow of control."""
        mine, others = _live(self.asyncio_task), _live(other.asyncio_task)
        return mine is others if mine or others else self.thread == other.thread

    def goes_on(self) -> bool:
        """Whether its user still works with the session, and does not wait for others."""
        owner = _live(self.asyncio_task)
        if self.asyncio_task is not None:
            return self.sends and owner is not None and not owner.done()
        frame = sys._current_frames().get(self.thread)  # noqa: SLF001 - there is no public one
        return self.call is not None and not _waits(frame) and self.call in _calls(frame)


def _live(reference: weakref.ref[Any] | None) -> Any:
    return reference() if reference is not None else None


def _waits(frame: FrameType | None) -> bool:
    name = str(frame.f_globals.get("__name__")) if frame is not None else ""
    return name.partition(".")[0] in _WAITS


def _calls(frame: FrameType | None) -> Iterator[tuple[int, int]]:
    """Yield the calls of user code on a stack, innermost first."""
    while frame is not None:
        if is_user_file(frame.f_code.co_filename):
            yield id(frame), id(frame.f_code)
        frame = frame.f_back


def _use_here(task: ScheduledTask | None) -> _Use:
    """Describe who uses a session here. Only what runs in a worker thread can end unseen."""
    running = current_asyncio_task()
    calls: list[tuple[int, int]] = []
    if running is None and threading.current_thread() is not threading.main_thread():
        calls = list(_calls(sys._getframe(1)))  # noqa: SLF001 - no public function is as cheap
    return _Use(threading.get_ident(), running, calls[-1] if calls else None, True, task)


class SessionUsedConcurrently(DatabaseCheck):
    """One session is used by two tasks or threads at the same time."""

    code = "BG404"
    name = "session-used-concurrently"
    default: ClassVar[Default] = "W"
    summary = "One session is used by two tasks or threads at the same time."
    way_out = "Give each task and each thread a session of its own."

    def __init__(self) -> None:
        self._last: weakref.WeakKeyDictionary[SessionInfo, _Use] = weakref.WeakKeyDictionary()
        self._told: weakref.WeakSet[SessionInfo] = weakref.WeakSet()

    def on_statement_started(self, event: StatementStarted) -> Iterator[Finding]:
        """Compare with the use before."""
        session = event.connection.session
        if session is None or session in self._told:
            return
        last, use = self._last.get(session), _use_here(event.task)
        self._last[session] = use
        if last is not None and not last.is_of(use) and last.goes_on():
            self._told.add(session)
            yield self._finding(
                event.task or last.task or event.connection.task, event.request, session, last.task
            )

    def on_statement_finished(self, event: StatementFinished) -> None:
        """Note that an answer has come."""
        session = event.connection.session
        last = self._last.get(session) if session is not None else None
        if last is not None and last.is_of(_use_here(event.task)):
            last.sends = False

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for SQLAlchemy's own refusal."""
        if event.error is None or event.task.injected:
            return
        if any(map(_is_refusal, related(event.error))):
            yield self.found(
                f"{event.task.name} failed, because a session was used by others at the same time.",
                [("error", str(event.task.failure))],
                task=event.task,
                covers=[event.task],
            )

    def _finding(
        self,
        task: ScheduledTask | None,
        request: RequestInfo | None,
        session: SessionInfo,
        other: ScheduledTask | None,
    ) -> Finding:
        name = task.name if task is not None else "a thread of the request"
        rival = "itself, in another thread or asyncio task"
        if other is not task:
            rival = other.name if other is not None else "its request"
        return self.found(
            f"{name} uses a session at the same time as {rival}.",
            session.evidence("session opened"),
            task=task,
            request=request,
        )


def _is_refusal(error: BaseException) -> bool:
    """Whether SQLAlchemy says that a session is in the middle of something else."""
    if not type(error).__module__.startswith("sqlalchemy."):
        return False
    return type(error).__name__ == "IllegalStateChangeError" or (
        getattr(error, "code", None) == "isce"
    )
