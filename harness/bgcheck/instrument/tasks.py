"""What happens to task objects, turned into records and events. Touches no framework."""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from bgcheck.events import TaskFinished, TaskScheduled, TaskStarted
from bgcheck.instrument.cancellation import is_cancelled_from_outside, outcome_of
from bgcheck.instrument.handlers import handler_of
from bgcheck.instrument.hub import Body, current_request, current_task, hub
from bgcheck.instrument.patches import is_patched
from bgcheck.instrument.site import schedule_site
from bgcheck.recorder.binding import Call
from bgcheck.recorder.failure import failure_of
from bgcheck.recorder.identity import IdentityMap
from bgcheck.recorder.params import Params, take_params
from bgcheck.recorder.plain import is_plain_call
from bgcheck.recorder.record import SOME_GROUP, Outcome, ScheduledTask, Site
from bgcheck.recorder.state import capture_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from types import FunctionType

    from bgcheck.recorder.request import RequestInfo
    from bgcheck.recorder.state import CallState

_NO_KWARGS: Final[Mapping[str, Any]] = MappingProxyType({})
_SKIPPED: Final = "an earlier task of the same response did not succeed"

_records: IdentityMap[ScheduledTask] = IdentityMap()
plain_records: dict[int, ScheduledTask] = {}
"""Those of plain tasks, by the id of the task object, which may be gone."""
_group_requests: IdentityMap[RequestInfo] = IdentityMap()
plain_groups: dict[int, tuple[weakref.ref[Any], RequestInfo]] = {}
"""The requests of groups by their id, while only the checks watch; the group may be gone."""


def find(live: object) -> ScheduledTask | None:
    """Return the record of a task object, if it has one."""
    task = plain_records.get(id(live))
    return task if task is not None and task.is_of(live) else _records.get(live)


def schedule(
    live: Any,
    made_by: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] = _NO_KWARGS,
) -> ScheduledTask:
    """Record a task object that user code just made; once for each object and recording.

    Args:
        live: the task object.
        made_by: the constructor of a subclass that has no `func`, whose arguments then count.
        args: what the constructor got.
        kwargs: what the constructor got by name.
    """
    known = find(live)
    if known is not None and known.recording == hub.recording_number:
        return known
    made = None if made_by is None or hasattr(live, "func") else Call(made_by, args, kwargs)
    try:
        site, group = schedule_site(live)
    except Exception as error:  # any bug of bgcheck
        hub.note(error)
        site = group = None
    return _record(live, site, made, group)


def _call_of(live: Any) -> Call | None:
    return Call(live.func, live.args, live.kwargs) if hasattr(live, "func") else None


def _record(
    live: Any, site: Site | None, made: Call | None = None, group: Any = None
) -> ScheduledTask:
    """Make a record; `made` is the call that counts where the object has no `func`."""
    request = current_request.get()
    if request is None and group is not None:
        request = _request_of_group(group)
    task = ScheduledTask(
        live,
        params=_params_of(live, made) if hub.keeps_live else None,
        site=site,
        request=request,
        number=next(hub.task_numbers),
        recording=hub.recording_number if request is None else request.recording,
    )
    parent = current_task.get()
    if parent is not None:
        task.parent = parent
    if hub.watched and hasattr(live, "func"):
        if is_plain_call(live.func, live.args, live.kwargs):
            task.keep_plain_call(live.args, live.kwargs)
            task.plain = parent is None and _is_uneventful(task, live.func)
        else:
            task.call = hub.guard(_state_of, live, task.name)
    if group is None:
        task.kinds = (weakref.ref(type(live)),)
    else:
        task.kinds = (weakref.ref(type(live)), weakref.ref(type(group)))
        task.group = id(group)
    _records[live] = task
    plain_records.pop(id(live), None)
    if request is not None:
        request.tasks.append(task)
    _emit(task, TaskScheduled(task))
    return task


def _is_uneventful(task: ScheduledTask, func: FunctionType) -> bool:
    """Whether nothing has happened in the request, and no check watches the function."""
    request = task.request
    return (
        request is not None
        and not request.eventful
        and all(earlier.name != task.name for earlier in request.tasks)
        and not hub.watches(func)
    )


def _params_of(live: Any, made: Call | None) -> Params:
    call = made or _call_of(live)
    if call is None:
        return Params()
    params = hub.guard(take_params, call.func, call.args, call.kwargs)
    return Params() if params is None else params


def _state_of(live: Any, name: str) -> CallState:
    return capture_call(live.func, live.args, live.kwargs, name=name)


def _emit(task: ScheduledTask, event: TaskScheduled | TaskStarted | TaskFinished) -> None:
    """Tell the sinks of the recording that the task belongs to."""
    hub.emit(event, task.recording)


def forget_plain() -> None:
    """Forget what is known of plain tasks and groups that are gone; done in every recording."""
    for number in [number for number, task in plain_records.items() if task.is_gone()]:
        del plain_records[number]
    for number in [number for number, known in plain_groups.items() if known[0]() is None]:
        del plain_groups[number]


def remember_group(group: object, request: RequestInfo) -> None:
    """Note which request a group was made for; a thread without its context adds to it later."""
    if hub.plain_sink is not None:
        plain_groups[id(group)] = (weakref.ref(group), request)
    else:
        _group_requests[group] = request


def _request_of_group(group: object) -> RequestInfo | None:
    known = plain_groups.get(id(group))
    if known is not None and known[0]() is group:
        return known[1]
    return _group_requests.get(group)


def reached(live: Any) -> ScheduledTask | None:
    """Return the record of a task whose turn has come, or None where its call is under way."""
    task = find(live)
    if task is not None and task is current_task.get() and not task.finished:
        return None
    if task is None:  # made while nothing was recorded: where is not known any more
        task = _record(live, None)
    elif not _is_of_this_recording(task):
        task = _recorded_again(live, task)
    if task.request is None:
        _adopt(task)
    return task


def _recorded_again(live: Any, before: ScheduledTask) -> ScheduledTask:
    """Make another record of a task object, for another recording."""
    task = _record(live, before.site)
    runs = before.runs if before.request is not None else 0
    task.earlier_runs = before.earlier_runs + runs
    task.first_request = before.first_request or (str(before.request) if runs else None)
    return task


def _is_of_this_recording(task: ScheduledTask) -> bool:
    return task.recording == hub.recording_number or (
        task.request is not None and task.request is current_request.get()
    )


def _adopt(task: ScheduledTask) -> None:
    """A task made outside of any request belongs to the request that runs it."""
    request = current_request.get()
    if request is not None:
        task.earlier_runs -= task.runs  # those in no request
        task.request = request
        request.tasks.append(task)


async def run(task: ScheduledTask, call: Callable[[Any], Awaitable[None]], live: Any) -> None:
    """Run a task whose turn has come, as the policy in force has it.

    Args:
        task: the record.
        call: the task object's own way to run.
        live: the task object.
    """
    __tracebackhide__ = True
    token = current_task.set(task)
    try:
        policy = hub.policy
        if policy is not None:
            body = functools.partial(call, live)
            allowed = await _wait(policy.turn(task, body), task)
            if allowed is None:
                task.dropped = True
                return
            await _run(task, allowed)
            return
        hub.guard(start, task)
        try:
            await call(live)
        except BaseException as error:
            hub.guard(finish, task, error)
            raise
        hub.guard(finish, task, None)
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
        hub.guard(finish, task, error)
        raise
    return allowed


async def _run(task: ScheduledTask, body: Body) -> None:
    __tracebackhide__ = True
    hub.guard(start, task)
    try:
        await body()
    except BaseException as error:
        hub.guard(finish, task, error)
        raise
    hub.guard(finish, task, None)


def start(task: ScheduledTask) -> None:
    """Note that a task begins to run here."""
    task.runs += 1
    task.outcome = "running"
    task.thread = "loop"
    task.thread_name = threading.current_thread().name
    task.loop_thread = threading.get_ident()
    task.started_at = perf_counter()
    task.ended_at = None
    if task.earlier_runs + task.runs > 1 or task.request is None:
        task.plain = False
    if TaskStarted not in hub.unwanted:
        _emit(task, TaskStarted(task))


def is_func_of(task: ScheduledTask, func: object) -> bool:
    """Whether `func` is what this running task calls."""
    return func is getattr(task.live, "func", None)


def in_worker(task: ScheduledTask, func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of `func` that notes the worker thread it runs in."""

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task.thread = "worker"
        task.thread_name = threading.current_thread().name
        result = func(*args, **kwargs)
        task.unstarted = _unstarted(result)
        return result

    return call


def _unstarted(result: object) -> str | None:
    """Name what a call returned instead of running: a coroutine or generator nobody has started."""
    if inspect.iscoroutine(result) and inspect.getcoroutinestate(result) == "CORO_CREATED":
        return "coroutine"
    if inspect.isgenerator(result) and inspect.getgeneratorstate(result) == "GEN_CREATED":
        return "generator"
    if inspect.isasyncgen(result) and not result.ag_running and result.ag_frame is not None:
        return "async generator"
    return None


def finish(task: ScheduledTask, error: BaseException | None) -> None:
    """Note how a task ended."""
    if task.started_at is not None:
        task.ended_at = perf_counter()
    if error is None:
        settle(task, "succeeded")
        return
    outcome = outcome_of(error)
    if outcome == "failed":
        task.failure = failure_of(error)
        task.handler = handler_of(error, task.request.scope) if task.request else None
        task.error = error if hub.keeps_live else None
    else:
        task.cancelled_from_outside = is_cancelled_from_outside(error)
    settle(task, outcome, error=error)


def settle(
    task: ScheduledTask,
    outcome: Outcome,
    reason: str | None = None,
    error: BaseException | None = None,
) -> None:
    """Give a task its last outcome."""
    task.outcome = outcome
    if outcome != "succeeded" or task.unstarted is not None:
        task.plain = False
        task.reason = reason
    elif task.reason is not None:
        task.reason = None
    _emit(task, TaskFinished(task, error))


def abort_group(group: Any) -> None:
    """A group stopped at an error: what it has not started is skipped."""
    for task in _pending_in(group):
        settle(task, "skipped", _SKIPPED)


def end_group(group: Any) -> None:
    """A group ran to its end: what it ran in a way of its own, not as a task, stays unknown."""
    request = current_request.get()
    if request is not None:
        for task in request.tasks:
            if not task.finished:
                break
        else:
            return
    for task in _pending_in(group):
        task.bypassed = True
        task.reason = f"{type(group).__name__}.__call__ did not call the task object"


def _pending_in(group: Any) -> list[ScheduledTask]:
    return [
        task
        for task in _records_in(getattr(group, "tasks", ()))
        if task.outcome == "pending" and not task.dropped
    ]


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
    for task in request.tasks:
        if task.outcome != "succeeded":
            break
    else:
        return
    _find_groups(request)
    stopped = {task.group for task in request.tasks if task.outcome in ("failed", "cancelled")} - {
        None
    }
    for task in request.tasks:
        if task.outcome != "pending" or task.dropped or task.bypassed:
            continue
        if _is_taken_over(task):
            task.bypassed = True
            continue
        if task.group in stopped:
            settle(task, "skipped", _SKIPPED)
        elif _cut_off(request):
            settle(task, "cancelled", "the request was cancelled before its turn")
        else:
            settle(task, "lost", _loss(request))


def _find_groups(request: RequestInfo) -> None:
    """Find out to which of the groups that were called the plain tasks were added."""
    for task in request.tasks:
        if task.group == SOME_GROUP:
            for group in request.called:
                if any(map(task.is_of, group.tasks)):
                    task.group = id(group)


def _is_taken_over(task: ScheduledTask) -> bool:
    """Whether a test has put another `__call__` in place, so that what became of it is unknown."""
    kinds = [kind() for kind in task.kinds]
    return not all(is_patched(kind.__call__) for kind in kinds if kind is not None)


def _cut_off(request: RequestInfo) -> bool:
    """Whether a response was out, and its application call was cancelled before the tasks."""
    return (
        request.response_complete
        and request.failure is not None
        and request.failure.type.rpartition(".")[2] in ("CancelledError", "Cancelled")
    )


def _loss(request: RequestInfo) -> str:
    if request.failure is not None:
        return f"the request ended with {request.failure.type} before its tasks could run"
    if request.method == "WEBSOCKET":
        return "a websocket has no response that could carry it"
    return "no response that was sent carried it"
