"""What the tasks of a trio run wait for."""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from bgcheck.runner.clock._waits import Wait, frames, is_own_code, module_of

if TYPE_CHECKING:
    from bgcheck.runner.clock._threads import Job

_TRAPS = frozenset({"trio._core._traps", "trio.lowlevel"})
_PRIMITIVES = frozenset(
    {
        "contextlib",
        "trio._abc",
        "trio._channel",
        "trio._core._parking_lot",
        "trio._core._unbounded_queue",
        "trio._sync",
    }
)
_NURSERY = frozenset({"__aexit__", "_nested_child_finished", "start"})


class Waits:
    """Judges tasks of one run."""

    def __init__(
        self, virtual: Container[Any], scheduled: Container[Any], jobs: Mapping[Any, Job]
    ) -> None:
        """Take what is known about the run.

        Args:
            virtual: the tasks that take virtual time, each looked at by itself.
            scheduled: the tasks that will run without anything happening first.
            jobs: what each task has handed to a worker thread last.
        """
        self._virtual = virtual
        self._scheduled = scheduled
        self._jobs = jobs
        self._judged: WeakKeyDictionary[Any, Wait] = WeakKeyDictionary()

    def forget(self, task: Any) -> None:
        """A task runs on: it waits for something else next."""
        self._judged.pop(task, None)

    def of(self, task: Any) -> Wait:
        """Return what a task waits for."""
        if task in self._scheduled:
            return Wait.READY
        if task in self._judged:
            return self._judged[task]
        stack, _ = frames(task.coro)
        stack = [frame for frame in stack if module_of(frame) not in _TRAPS]
        if not stack:
            return Wait.REAL
        module, name = module_of(stack[0]), stack[0].f_code.co_name
        if module == "trio._threads":
            return self._of_thread(task)
        if module == "trio._timeouts":
            wait = self._of_sleep(task, stack)
        elif module == "trio._core._run" and name in _NURSERY:
            wait = Wait.VIRTUAL
        else:
            wait = _bare_wait(stack)
        self._judged[task] = wait
        return wait

    def _of_thread(self, task: Any) -> Wait:
        job = self._jobs.get(task)
        if job is None:
            return Wait.REAL
        return Wait.VIRTUAL if job.running else Wait.READY

    def _of_sleep(self, task: Any, stack: list[FrameType]) -> Wait:
        if task in self._virtual:
            return Wait.VIRTUAL
        names = {frame.f_code.co_name for frame in stack if module_of(frame) == "trio._timeouts"}
        return Wait.REAL if "sleep_until" in names else Wait.PROGRAM


def _bare_wait(stack: list[FrameType]) -> Wait:
    depth = 0
    while depth < len(stack) and module_of(stack[depth]) in _PRIMITIVES:
        depth += 1
    if depth == len(stack):
        return Wait.PROGRAM
    user = module_of(stack[depth])
    if user.startswith("trio."):
        return Wait.PROGRAM if depth and user == "trio._threads" else Wait.REAL
    return Wait.PROGRAM if depth or is_own_code(stack[depth]) else Wait.REAL
