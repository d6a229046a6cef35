"""A gate: where tasks wait until the test lets them go on. The logic of both kinds of gate.

An operation is a generator that yields what it waits for, so that the sync and the async gate run
the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from bgcheck.recorder.record import ScheduledTask, describe_function
from bgcheck.runner.blocks import Block, Only, functions
from bgcheck.runner.clients.backends import Event, running_backend
from bgcheck.runner.clients.hangs import describe
from bgcheck.runner.drain import Drain, DrainResult
from bgcheck.runner.errors import GateError, GateTimeoutError
from bgcheck.runner.threads import threadsafe

if TYPE_CHECKING:
    from bgcheck.runner.runner import Runner

T = TypeVar("T")
OnError = Literal["raise", "collect"]

STEP_LIMIT = 10.0
"""Seconds of real time that one released task has to end."""


@dataclass(frozen=True)
class Wait:
    """Wait for a condition that concerns a task."""

    condition: Callable[[], bool]
    task: ScheduledTask


Steps = Generator[Wait, None, T]


class Held:
    """A task that waits at a gate, in its own event loop."""

    def __init__(self) -> None:
        self._event: Event = running_backend().event()
        self.release: Callable[[], None] = threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until `release` is called, from any thread."""
        await self._event.wait()


class GateCore:
    """What a sync and an async gate share: the tasks at the gate, and the steps to release them."""

    def __init__(self, runner: Runner, only: Only) -> None:
        self.runner = runner
        self.block: Block = Block("hold", functions(only), self)
        self.open: bool = False
        self._held: dict[ScheduledTask, Held] = {}
        self._recorded = runner.recorded

    def enter(self) -> None:
        """Hold tasks from now on."""
        self.runner.blocks.enter(self.block)
        self.open = True

    def leave(self) -> None:
        """Hold no more tasks, and let those that still wait go on."""
        self.open = False
        self.runner.blocks.leave(self.block)
        for held in list(self._held.values()):
            held.release()

    async def hold(self, task: ScheduledTask) -> None:
        """Keep a task here until it is released."""
        held = self._held[task] = Held()
        task.outcome = "held"
        self.runner.changed()
        try:
            await held.wait()
        finally:
            del self._held[task]

    def held(self) -> list[tuple[ScheduledTask, Held]]:
        """The tasks that wait here now."""
        return list(self._held.items())

    @property
    def pending(self) -> list[ScheduledTask]:
        """The tasks that this gate holds or will hold, in the order of scheduling."""
        return [task for task in self._recorded() if self._is_pending(task)]

    def _is_pending(self, task: ScheduledTask) -> bool:
        if task in self._held:
            return True
        return (
            task.outcome == "pending"
            and not task.dropped
            and not task.queued
            and task.request is not None
            and not task.request.finished
            and self.runner.blocks.of(task) is self.block
        )

    def _before(self, task: ScheduledTask) -> ScheduledTask | None:
        """The first unfinished task of the same response that comes before this one."""
        siblings = task.request.tasks if task.request is not None else ()
        return next(
            (
                other
                for other in siblings
                if other.number < task.number and other.group == task.group and not other.finished
            ),
            None,
        )

    def _next(self, only: Sequence[Callable[..., object]]) -> ScheduledTask | None:
        """The first task whose turn it is; those of a complete response go first."""
        wanted = Block("hold", tuple(only))
        ready = [
            task
            for task in self.pending
            if wanted.applies_to(task) and (task in self._held or self._before(task) is None)
        ]
        return min(ready, key=lambda task: (not _answered(task), task.number), default=None)

    def check_open(self, call: str) -> None:
        """Refuse a call after the block.

        Raises:
            GateError: the block has ended.
        """
        __tracebackhide__ = True
        if not self.open:
            raise GateError(
                f"{call}: the gate is closed. Its block has ended, and what it held was drained; "
                "call it inside of the block."
            )

    def run_next(self) -> Steps[ScheduledTask]:
        """Release the next task and wait for its end."""
        self.check_open("gate.run_next()")
        while (task := self._next(())) is not None:
            if (yield from self._run(task)):
                return task
        raise GateError(f"gate.run_next(): no task is pending. {self._overview()}")

    def run(self, task: ScheduledTask) -> Steps[ScheduledTask]:
        """Release this task and wait for its end."""
        self.check_open("gate.run(task)")
        if not self._is_pending(task):
            raise GateError(
                f"gate.run({task.name}): this task is not pending, it is {task.outcome}. "
                f"{self._overview()}"
            )
        before = self._before(task)
        if task not in self._held and before is not None:
            raise GateError(
                f"gate.run({task.name}): {before.name} comes before it in the same response and "
                "has not run. Tasks of one response run one after another; run it first."
            )
        if not (yield from self._run(task)):
            raise GateError(f"gate.run({task.name}): it did not start, it was {task.outcome}.")
        return task

    def drain(
        self, only: Only = None, limit: int = 100, on_error: OnError = "raise"
    ) -> Steps[DrainResult]:
        """Release tasks until none is pending."""
        self.check_open("gate.drain()")
        return (yield from self.drain_open(only, limit, on_error))

    def drain_open(self, only: Only, limit: int, on_error: OnError) -> Steps[DrainResult]:
        """Release tasks until none is pending; for the end of a block too."""
        drain = Drain(self.block, limit, on_error)
        wanted = functions(only)
        with self.runner.listening(drain.note):
            while (task := self._next(wanted)) is not None:
                drain.count(task)
                yield from self._run(task)
        return drain.result()

    def _run(self, task: ScheduledTask) -> Steps[bool]:
        """Wait for the task's turn, release it, wait for its end; False if it never had a turn."""
        yield Wait(lambda: task in self._held or task.finished, task)
        held = self._held.get(task)
        if held is None:
            return False
        task.outcome = "pending"
        held.release()
        yield Wait(lambda: task.finished, task)
        return True

    def _overview(self) -> str:
        tasks = self._recorded()
        if not tasks:
            return "Nothing was scheduled yet; send the request inside of the block."
        listed = ", ".join(f"{task.name} {task.outcome}" for task in tasks[-5:])
        names = ", ".join(map(describe_function, self.block.only))
        return f"This gate holds {names or 'every task'}; scheduled were: {listed}."

    def timeout(self, wait: Wait) -> GateTimeoutError:
        """The error for a wait that took too long, with the place where the task hangs."""
        exchange = self.runner.exchange_of(wait.task)
        places = [line for lines in describe([exchange] if exchange else []) for line in lines]
        task = wait.task
        return GateTimeoutError(
            "\n".join(
                [
                    f"{task.name} is {task.outcome} and did not get on for {STEP_LIMIT:g} s.",
                    *(f"  {line}" for line in places),
                    "If it waits for another task that is held, release that one first.",
                ]
            )
        )


def _answered(task: ScheduledTask) -> bool:
    return task.request is None or task.request.response_complete
