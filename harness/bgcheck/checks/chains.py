"""BG1, continued: requests and chains of tasks."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.checks.calls import equal_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import OverridesMet, TaskScheduled, TaskSettled
    from bgcheck.recorder.record import ScheduledTask

REPEATED: Final = 3
"""Generations with the same arguments that make a chain which did not end by itself."""

ENDLESS: Final = 100
"""Generations that make a chain endless whatever its arguments."""


class ReschedulesItself(Check):
    """A chain of tasks schedules the same function without end in sight."""

    code = "BG110"
    name = "reschedules-itself"
    default: ClassVar[Default] = "W"
    summary = "Tasks schedule the same function again and again, without end in sight."
    way_out = (
        "Bound the chain by a counter among the arguments; periodic work belongs in a scheduler, "
        "not in the tail of a request."
    )

    def __init__(self) -> None:
        self._same: weakref.WeakKeyDictionary[ScheduledTask, int] = weakref.WeakKeyDictionary()
        self._parents: weakref.WeakSet[ScheduledTask] = weakref.WeakSet()

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Count the generations with the same call, and those of the same function."""
        task, parent = event.task, event.task.parent
        if parent is None:
            return
        self._parents.add(parent)
        if parent.name == task.name and equal_calls(parent, task):
            self._same[task] = self._same.get(parent, 1) + 1
        if _generations(task) == ENDLESS:
            yield self._finding(task, ENDLESS)

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """A chain that came to its end by itself is bounded, whatever it looks like."""
        task = event.task
        generations = self._same.get(task, 1)
        ended = task.outcome == "succeeded" and task not in self._parents
        if generations >= REPEATED and task not in self._parents and not ended:
            yield self._finding(task, generations)

    def _finding(self, task: ScheduledTask, generations: int) -> Finding:
        return self.found(
            f"{task.name} schedules itself without end in sight.",
            [("chain", f"{generations} generations, the last one is {task.outcome}")],
            task=task,
        )


def _generations(task: ScheduledTask) -> int:
    count, one = 1, task
    while one.parent is not None and one.parent.name == task.name and count < ENDLESS + 1:
        count, one = count + 1, one.parent
    return count


class OverrideWithoutEffect(Check):
    """`dependency_overrides[BackgroundTasks]` was set, and the framework ignores it."""

    code = "BG111"
    name = "override-without-effect"
    default: ClassVar[Default] = "E"
    summary = "dependency_overrides[BackgroundTasks] was set, which FastAPI ignores."
    way_out = (
        "FastAPI injects BackgroundTasks itself: assert with the bgtasks fixture, or keep tasks "
        'from running with @pytest.mark.bgcheck(mode="drop").'
    )

    def on_overrides_met(self, event: OverridesMet) -> Iterator[Finding]:
        """Look for it among the overrides of the application that answers."""
        for dependency, override in list(event.overrides.items()):
            if _is_background_tasks(dependency):
                yield self.found(
                    "dependency_overrides[BackgroundTasks] is set, and has no effect.",
                    [("override", _name_of(override))],
                    request=event.request,
                )


def _is_background_tasks(dependency: object) -> bool:
    return isinstance(dependency, type) and any(
        base.__name__ == "BackgroundTasks" and base.__module__.startswith(("fastapi", "starlette"))
        for base in dependency.__mro__
    )


def _name_of(override: Any) -> str:
    return str(getattr(override, "__qualname__", type(override).__qualname__))


class SideEffectOnSafeMethod(Check):
    """A task was scheduled on HEAD or OPTIONS."""

    code = "BG112"
    name = "side-effect-on-safe-method"
    default: ClassVar[Default] = "O"
    summary = "A task was scheduled on HEAD or OPTIONS."
    way_out = "Clients send HEAD and OPTIONS ahead of the real request: schedule nothing there."

    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Look at the method of the request."""
        task = event.task
        if task.request is not None and task.request.method in ("HEAD", "OPTIONS"):
            yield self.found(
                f"{task.name} was scheduled on {task.request.method}.",
                [("request", str(task.request))],
                task=task,
            )


CHECKS: tuple[type[Check], ...] = (
    ReschedulesItself,
    OverrideWithoutEffect,
    SideEffectOnSafeMethod,
)
