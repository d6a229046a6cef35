"""BG2: how tasks end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bgcheck.checks.base import Check, Finding
from bgcheck.checks.outcome_retries import RepeatedSideEffect, UnboundedRetry
from bgcheck.checks.outcome_swallowed import CancellationSwallowed, ExceptionSwallowed
from bgcheck.checks.outcome_unawaited import NeverAwaited, OrphanTaskException
from bgcheck.recorder.failure import Failure, related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskFinished, TaskSettled
    from bgcheck.recorder.record import ScheduledTask, Site


def failure_evidence(failure: Failure) -> list[tuple[str, str | Site]]:
    """Write an error and where it came from as evidence."""
    lines: list[tuple[str, str | Site]] = [("error", str(failure))]
    if failure.site is not None:
        lines.append(("raised", failure.site))
    return lines


def is_expected(task: ScheduledTask, test_error: BaseException | None) -> bool:
    """Whether a test has dealt with the failure of a task.

    It has if it injected the failure or looked at it; if the error left the application through a
    client that raises, and the test went on: by `pytest.raises`, or `except`.
    """
    if task.injected or task.failure_seen or task.request is None:
        return True
    failure = task.failure
    if failure is None:
        return False
    if test_error is not None and not failure.ids.isdisjoint(map(id, related(test_error))):
        return False
    answer = task.request.failure
    return (
        task.request.error_delivered
        and answer is not None
        and not failure.ids.isdisjoint(answer.ids)
    )


class TaskFailed(Check):
    """A task raised, and the test did not expect it."""

    code = "BG201"
    name = "task-failed"
    default: ClassVar[Default] = "E"
    summary = "A task raised an error, and the test did not expect it."
    way_out = (
        "Mend the task; or expect the error: pytest.raises around the request, bgtasks.fail, or an "
        "assertion on task.error."
    )

    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Judge the failure when the test has had its chance to expect it."""
        task = event.task
        failure = task.failure
        if task.outcome != "failed" or failure is None or is_expected(task, event.test_error):
            return
        yield self.found(
            f"{task.name} failed with {failure.type}, and the test did not expect it.",
            [*failure_evidence(failure), ("client saw", _answer(task))],
            task=task,
            covers=[task],
        )


def _answer(task: ScheduledTask) -> str:
    request = task.request
    if request is None:
        return "nothing"
    if request.error_delivered:
        return "the error"
    return "no response" if request.response_status is None else f"{request.response_status}"


class TaskSkipped(Check):
    """A task never started because an earlier one of the same response did not succeed."""

    code = "BG202"
    name = "task-skipped"
    default: ClassVar[Default] = "E"
    summary = "A task never started because an earlier task of the same response failed."
    way_out = "Catch and log errors inside of each task, so that it cannot stop the ones after it."

    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Name the task that stopped it."""
        task = event.task
        if task.outcome != "skipped" or task.asserted or task.request is None:
            return
        stopper = next((other for other in task.request.tasks if _stopped(other, task)), None)
        if stopper is None or stopper.injected:
            return
        lines: list[tuple[str, str | Site]] = [("stopped by", f"{stopper.name}, {stopper.outcome}")]
        if stopper.site is not None:
            lines.append(("its site", stopper.site))
        if stopper.failure is not None:
            lines += failure_evidence(stopper.failure)
        yield self.found(
            f"{task.name} never started, because {stopper.name} before it {_ended(stopper)}.",
            lines,
            task=task,
        )


def _stopped(earlier: ScheduledTask, task: ScheduledTask) -> bool:
    return earlier is not task and earlier.outcome in ("failed", "cancelled")


def _ended(task: ScheduledTask) -> str:
    return "failed" if task.outcome == "failed" else "was cancelled"


class TaskCancelled(Check):
    """A task was cancelled from outside before it had ended."""

    code = "BG203"
    name = "task-cancelled"
    default: ClassVar[Default] = "W"
    summary = "A task was cancelled by a time-out, a disconnect or a shutdown."
    way_out = (
        "Shield what must be finished, keep time-outs away from tasks, or hand long work to a "
        "queue."
    )

    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Tell unless the task, or the test, asked for it."""
        task = event.task
        if task.outcome != "cancelled" or not (
            task.cancelled_from_outside or task.started_at is None
        ):
            return
        if task.injected or task.asserted or task.request is None:
            return
        ran = f"{task.duration:.3f} s" if task.duration is not None else "it had not started"
        yield self.found(
            f"{task.name} was cancelled before it had ended.", [("had run", ran)], task=task
        )


class HttpExceptionInTask(Check):
    """A task raised an error that is meant for an exception handler."""

    code = "BG207"
    name = "http-exception-in-task"
    default: ClassVar[Default] = "E"
    summary = "A task raised HTTPException or another error that has a handler: none can answer."
    way_out = (
        "Check what can be refused in the endpoint, before the response; in the task, log or "
        "record the error."
    )

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for the handler that the error is meant for."""
        task = event.task
        if task.handler is None or task.failure is None or task.injected:
            return
        yield self.found(
            f"{task.name} raised {task.failure.type}; the response is gone, so that no handler "
            "can answer.",
            [*failure_evidence(task.failure), ("handler of", task.handler)],
            task=task,
            covers=[task],
        )


class ExitInTask(Check):
    """A task raised SystemExit or KeyboardInterrupt."""

    code = "BG208"
    name = "exit-in-task"
    default: ClassVar[Default] = "E"
    summary = "A task raised SystemExit or KeyboardInterrupt, which ends the server."
    way_out = "Raise an ordinary error; code that calls sys.exit belongs in a process of its own."

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look at what left the task."""
        task = event.task
        if task.failure is None or task.injected:
            return
        if isinstance(event.error, (SystemExit, KeyboardInterrupt)):
            yield self.found(
                f"{task.name} raised {task.failure.type}: on a server, that ends the process.",
                failure_evidence(task.failure),
                task=task,
                covers=[task],
            )


CHECKS: tuple[type[Check], ...] = (
    TaskFailed,
    TaskSkipped,
    TaskCancelled,
    ExceptionSwallowed,
    CancellationSwallowed,
    NeverAwaited,
    HttpExceptionInTask,
    ExitInTask,
    OrphanTaskException,
    UnboundedRetry,
    RepeatedSideEffect,
)
