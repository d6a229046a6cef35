"""Where Celery, taskiq and Dramatiq send a call, and where a worker of theirs runs one.

Each is patched at the one point that all its ways of sending pass: `Task.apply_async` and
`Celery.send_task` of Celery (an eager canvas calls `Task.apply` instead), `AsyncKicker` of taskiq,
`Broker.emit_before` of Dramatiq, which every broker calls. Running is told by the signals of
Celery, `Receiver.run_task` of taskiq, and `Broker.emit_before` and `emit_after` of Dramatiq.
"""

from __future__ import annotations

import functools
import inspect
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from bgcheck.instrument import queues
from bgcheck.instrument.hub import hub
from bgcheck.instrument.patches import Patches
from bgcheck.recorder import binding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

_patches = Patches()
_SIGNAL_ID: Final = "bgcheck"
_signals: list[tuple[Any, Callable[..., None]]] = []
_CELERY_OUTCOMES: Final[dict[str | None, Any]] = {
    "SUCCESS": "succeeded",
    "RETRY": "pending",
    "IGNORED": "succeeded",
    "REJECTED": "cancelled",
}

_eager_canvas: ContextVar[bool] = ContextVar("bgcheck_eager_canvas", default=False)
_kicking: ContextVar[list[ScheduledTask] | None] = ContextVar("bgcheck_kicking", default=None)


def patch(module: ModuleType) -> None:
    """Patch a module that has just been imported."""
    HOOKS[module.__name__](module)


def restore() -> None:
    """Put everything back."""
    _patches.restore()
    for signal, receiver in _signals:
        signal.disconnect(receiver, dispatch_uid=_SIGNAL_ID)
    _signals.clear()
    binding.queue_tasks.clear()


def _patch_celery_task(module: ModuleType) -> None:
    from celery import signals  # type: ignore[import-untyped, unused-ignore]

    binding.queue_tasks.append((module.Task, "run"))
    _patches.wrap(module.Task, "apply_async", _wrap_apply_async)
    _patches.wrap(module.Task, "apply", _wrap_apply)
    for signal, receiver in (
        (signals.task_prerun, _celery_prerun),
        (signals.task_failure, _celery_failure),
        (signals.task_postrun, _celery_postrun),
        (signals.task_revoked, _celery_revoked),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=_SIGNAL_ID)
        _signals.append((signal, receiver))


def _patch_celery_app(module: ModuleType) -> None:
    _patches.wrap(module.Celery, "send_task", _wrap_send_task)


def _wrap_apply_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply_async(
        self: Any,
        args: Any = None,
        kwargs: Any = None,
        task_id: Any = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        __tracebackhide__ = True
        if not hub.keeps_live:
            return original(self, args, kwargs, task_id, *more, **options)
        task_id = task_id or sys.modules["celery.utils"].uuid()
        task = hub.guard(queues.sent, ("celery", task_id), self, args, kwargs)
        try:
            return original(self, args, kwargs, task_id, *more, **options)
        except BaseException as error:
            hub.guard(queues.not_sent, task, error)
            raise

    return apply_async


def _patch_celery_canvas(module: ModuleType) -> None:
    for kind in ("_chain", "_chord", "group"):
        _patches.wrap(getattr(module, kind), "apply_async", _wrap_canvas)


def _wrap_canvas(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply_async(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        token = _eager_canvas.set(bool(self.app.conf.task_always_eager))
        try:
            return original(self, *args, **options)
        finally:
            _eager_canvas.reset(token)

    return apply_async


def _wrap_apply(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap running in place: an eager canvas does so where it would send, others just call."""

    @functools.wraps(original)
    def apply(self: Any, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        if not _eager_canvas.get():
            return original(self, args, kwargs, *more, **options)
        if hub.keeps_live:
            options["task_id"] = options.get("task_id") or sys.modules["celery.utils"].uuid()
            hub.guard(queues.sent, ("celery", options["task_id"]), self, args, kwargs)
        token = _eager_canvas.set(False)
        try:
            return original(self, args, kwargs, *more, **options)
        finally:
            _eager_canvas.reset(token)

    return apply


def _wrap_send_task(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap sending by name; a task that this process does not know has no function to record."""

    @functools.wraps(original)
    def send_task(self: Any, name: str, *more: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        task = None
        if hub.keeps_live and options.get("task_type") is None and name in self.tasks:
            options.setdefault("task_id", sys.modules["celery.utils"].uuid())
            args = more[0] if more else options.get("args")
            kwargs = more[1] if len(more) > 1 else options.get("kwargs")
            key = ("celery", options["task_id"])
            task = hub.guard(queues.sent, key, self.tasks[name], args, kwargs)
        try:
            return original(self, name, *more, **options)
        except BaseException as error:
            hub.guard(queues.not_sent, task, error)
            raise

    return send_task


def _celery_prerun(task_id: str, **_: Any) -> None:
    hub.guard(queues.started, ("celery", task_id))


def _celery_failure(task_id: str, exception: BaseException, **_: Any) -> None:
    hub.guard(queues.ended, ("celery", task_id), exception)


def _celery_postrun(task_id: str, state: str | None, **_: Any) -> None:
    if state == "FAILURE":
        return
    outcome = _CELERY_OUTCOMES.get(state)
    error = sys.exc_info()[1] if outcome is None else None  # an eager task that hands on its error
    hub.guard(queues.ended, ("celery", task_id), error, outcome)


def _celery_revoked(request: Any, **_: Any) -> None:
    hub.guard(queues.ended, ("celery", request.id), None, "cancelled")


def _patch_taskiq_decor(module: ModuleType) -> None:
    binding.queue_tasks.append((module.AsyncTaskiqDecoratedTask, "original_func"))


def _patch_taskiq_kicker(module: ModuleType) -> None:
    _patches.wrap(module.AsyncKicker, "kiq", _wrap_kiq)
    _patches.wrap(module.AsyncKicker, "_prepare_message", _wrap_prepare_message)


def _patch_taskiq_receiver(module: ModuleType) -> None:
    _patches.wrap(module.Receiver, "run_task", _wrap_run_task)


def _wrap_kiq(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def kiq(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with _sending():
            return await original(self, *args, **kwargs)

    return kiq


@contextmanager
def _sending() -> Iterator[None]:
    """Note for all that a block could not send that it is lost."""
    __tracebackhide__ = True
    made: list[ScheduledTask] = []
    token = _kicking.set(made)
    try:
        yield
    except BaseException as error:
        for task in made:
            hub.guard(queues.not_sent, task, error)
        raise
    finally:
        _kicking.reset(token)


def _note_sending(task: ScheduledTask | None) -> None:
    made = _kicking.get()
    if task is not None and made is not None:
        made.append(task)


def _wrap_prepare_message(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _prepare_message(self: Any, *args: Any, **kwargs: Any) -> Any:
        message = original(self, *args, **kwargs)
        if hub.keeps_live:
            hub.guard(_taskiq_sent, self, message, args, kwargs)
        return message

    return _prepare_message


def _taskiq_sent(kicker: Any, message: Any, args: Any, kwargs: Any) -> None:
    known = kicker.broker.find_task(kicker.task_name)
    if known is None:  # a task of another process
        return
    _note_sending(queues.sent(("taskiq", message.task_id), known, args, kwargs))


def _wrap_run_task(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def run_task(self: Any, target: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        key = ("taskiq", message.task_id)
        on_loop = inspect.iscoroutinefunction(target)
        hub.guard(functools.partial(queues.started, on_loop=on_loop), key)
        try:
            result = await original(self, target, message, *args, **kwargs)
        except BaseException as error:
            hub.guard(queues.ended, key, error)
            raise
        hub.guard(queues.ended, key, result.error)
        return result

    return run_task


def _patch_dramatiq_actor(module: ModuleType) -> None:
    binding.queue_tasks.append((module.Actor, "fn"))
    _patches.wrap(module.Actor, "send_with_options", _wrap_send_with_options)


def _wrap_send_with_options(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def send_with_options(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with _sending():
            return original(self, *args, **kwargs)

    return send_with_options


def _patch_dramatiq_generic(module: ModuleType) -> None:
    binding.queue_tasks.append((module.GenericActor, "perform"))


def _patch_dramatiq_broker(module: ModuleType) -> None:
    _patches.wrap(module.Broker, "emit_before", _wrap_emit_before)
    _patches.wrap(module.Broker, "emit_after", _wrap_emit_after)


def _wrap_emit_before(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def emit_before(self: Any, signal: str, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if hub.keeps_live and signal == "enqueue":
            hub.guard(_dramatiq_sent, self, *args[:1])
        elif hub.keeps_live and signal == "process_message":
            hub.guard(queues.started, ("dramatiq", args[0].message_id))
        return original(self, signal, *args, **kwargs)

    return emit_before


def _wrap_emit_after(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def emit_after(self: Any, signal: str, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if hub.keeps_live and signal == "process_message":
            hub.guard(queues.ended, ("dramatiq", args[0].message_id), kwargs.get("exception"))
        elif hub.keeps_live and signal == "skip_message":
            hub.guard(queues.ended, ("dramatiq", args[0].message_id), None, "skipped")
        return original(self, signal, *args, **kwargs)

    return emit_after


def _dramatiq_sent(broker: Any, message: Any) -> None:
    actor = broker.actors.get(message.actor_name)
    if actor is not None:  # else it is one of another process
        key = ("dramatiq", message.message_id)
        _note_sending(queues.sent(key, actor, message.args, message.kwargs))


HOOKS: Final = {
    "celery.app.base": _patch_celery_app,
    "celery.app.task": _patch_celery_task,
    "celery.canvas": _patch_celery_canvas,
    "dramatiq.actor": _patch_dramatiq_actor,
    "dramatiq.broker": _patch_dramatiq_broker,
    "dramatiq.generic": _patch_dramatiq_generic,
    "taskiq.decor": _patch_taskiq_decor,
    "taskiq.kicker": _patch_taskiq_kicker,
    "taskiq.receiver.receiver": _patch_taskiq_receiver,
}
