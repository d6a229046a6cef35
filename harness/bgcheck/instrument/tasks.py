"""What happens to task objects, turned into records and events. Touches no framework."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from bgcheck.events import TaskFinished, TaskScheduled, TaskStarted
from bgcheck.instrument.hub import Body, current_request, current_task, hub
from bgcheck.instrument.site import schedule_site
from bgcheck.recorder.params import take_params
from bgcheck.recorder.record import Outcome, RequestInfo, ScheduledTask

_records: dict[int, tuple[weakref.ref[Any], ScheduledTask]] = {}
_group_requests: dict[int, tuple[weakref.ref[Any], RequestInfo]] = {}


class _Adding(threading.local):
    """The group whose `add_task` is on the stack of this thread."""

    group: object = None


adding = _Adding()


def find(live: object) -> ScheduledTask | None:
    """Return the record of a task object, if it has one."""
    entry = _records.get(id(live))
    return entry[1] if entry is not None and entry[0]() is live else None


def schedule(live: Any) -> ScheduledTask:
    """Record a task object that user code just made; once for each object and recording."""
    known = find(live)
    if known is not None and known.recording == hub.recording_number:
        return known
    request = current_request.get() or _request_of(adding.group)
    task = ScheduledTask(
        live,
        params=take_params(live.func, live.args, live.kwargs),
        site=schedule_site(live, adding.group),
        request=request,
        number=next(hub.task_numbers),
        recording=hub.recording_number if request is None else request.recording,
    )
    task.parent = current_task.get()
    task.group = id(adding.group) if adding.group is not None else None
    _remember(_records, live, task)
    if request is not None:
        request.tasks.append(task)
    _emit(task, TaskScheduled(task))
    return task


def _remember(table: dict[int, tuple[weakref.ref[Any], Any]], live: Any, value: Any) -> None:
    key = id(live)
    table[key] = (weakref.ref(live, lambda _: table.pop(key, None)), value)


def _emit(task: ScheduledTask, event: TaskScheduled | TaskStarted | TaskFinished) -> None:
    """Tell the sinks, unless the task belongs to a request of an earlier recording."""
    if task.recording == hub.recording_number:
        hub.emit(event)


def remember_group(group: object) -> None:
    """Note which request a group was made for; a thread without its context adds to it later."""
    request = current_request.get()
    if request is not None:
        _remember(_group_requests, group, request)


def _request_of(group: object) -> RequestInfo | None:
    entry = _group_requests.get(id(group))
    return entry[1] if entry is not None and entry[0]() is group else None


def reached(live: Any) -> ScheduledTask | None:
    """Return the record of a task whose turn has come, or None where its call is under way."""
    task = find(live)
    if task is not None and task is current_task.get() and not task.finished:
        return None
    if task is None or not _is_of_this_recording(task):
        task = schedule(live)
    if task.request is None:
        _adopt(task)
    return task


def _is_of_this_recording(task: ScheduledTask) -> bool:
    return task.recording == hub.recording_number or (
        task.request is not None and task.request is current_request.get()
    )


def _adopt(task: ScheduledTask) -> None:
    """A task made outside of any request belongs to the request that runs it."""
    request = current_request.get()
    if request is not None:
        task.request = request
        request.tasks.append(task)


async def run(task: ScheduledTask, body: Body) -> None:
    """Run a task whose turn has come, as the policy in force has it."""
    __tracebackhide__ = True
    token = current_task.set(task)
    try:
        policy = hub.policy
        if policy is not None:
            allowed = await _wait(policy.turn(task, body), task)
            if allowed is None:
                task.dropped = True
                return
            body = allowed
        await _run(task, body)
    finally:
        try:
            current_task.reset(token)
        except ValueError:  # the coroutine was closed from another context
            current_task.set(None)


async def _wait(turn: Any, task: ScheduledTask) -> Body | None:
    __tracebackhide__ = True
    try:
        allowed: Body | None = await turn
    except BaseException as error:
        finish(task, error)
        raise
    return allowed


async def _run(task: ScheduledTask, body: Body) -> None:
    __tracebackhide__ = True
    start(task)
    try:
        await body()
    except BaseException as error:
        finish(task, error)
        raise
    finish(task, None)


def start(task: ScheduledTask) -> None:
    """Note that a task begins to run here."""
    task.runs += 1
    task.outcome = "running"
    task.thread = "loop"
    task.thread_name = threading.current_thread().name
    task.started_at = perf_counter()
    task.ended_at = None
    _emit(task, TaskStarted(task))


def in_worker(task: ScheduledTask, func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of `func` that notes the worker thread it runs in."""

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task.thread = "worker"
        task.thread_name = threading.current_thread().name
        return func(*args, **kwargs)

    return call


def finish(task: ScheduledTask, error: BaseException | None) -> None:
    """Note how a task ended."""
    if task.started_at is not None:
        task.ended_at = perf_counter()
    outcome = outcome_of(error)
    task.error = error if outcome == "failed" else None
    settle(task, outcome)


def settle(task: ScheduledTask, outcome: Outcome, reason: str | None = None) -> None:
    """Give a task its last outcome."""
    task.outcome = outcome
    task.reason = reason
    _emit(task, TaskFinished(task))


def outcome_of(error: BaseException | None) -> Outcome:
    """Tell what an error that left a task means for its outcome."""
    if error is None:
        return "succeeded"
    return "cancelled" if _is_cancellation(error) else "failed"


def _is_cancellation(error: BaseException) -> bool:
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and inner:
        return all(map(_is_cancellation, inner))
    return isinstance(error, (GeneratorExit, *_cancellation_types()))


def _cancellation_types() -> Iterator[type[BaseException]]:
    for module, name in (("asyncio", "CancelledError"), ("trio", "Cancelled")):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def abort_group(group: Any) -> None:
    """A group stopped at an error: what it has not started is skipped."""
    for task in _records_in(getattr(group, "tasks", ())):
        if task.outcome == "pending" and not task.dropped:
            settle(task, "skipped", "an earlier task of the same response did not succeed")


def _records_in(tasks: Iterable[Any]) -> Iterator[ScheduledTask]:
    for live in list(tasks):
        task = find(live)
        if task is not None:
            yield task
        for inner in (live, getattr(live, "func", None)):
            nested = getattr(inner, "tasks", None)
            if isinstance(nested, list):
                yield from _records_in(nested)


def finish_request(request: RequestInfo) -> None:
    """A request is over: what it scheduled and nothing ran is skipped or lost."""
    stopped = {task.group for task in request.tasks if task.outcome in ("failed", "cancelled")} - {
        None
    }
    for task in request.tasks:
        if task.outcome != "pending" or task.dropped:
            continue
        if task.group in stopped:
            settle(task, "skipped", "an earlier task of the same response did not succeed")
        else:
            settle(task, "lost", _loss(request))


def _loss(request: RequestInfo) -> str:
    if request.error is not None:
        return f"the request ended with {type(request.error).__name__} before its tasks could run"
    return "no response that was sent carried it"
