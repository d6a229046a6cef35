"""Patches on Starlette and FastAPI: the single task, the group, the application call.

The single task is where every way of scheduling and running meets: `BackgroundTasks.add_task`
makes a `BackgroundTask`, and a group runs by calling each (starlette 1.10.0, background.py, lines
15-42). FastAPI overrides `BackgroundTasks.__call__` since 0.142, so that a patch on Starlette's
group alone would miss injected tasks.
"""

from __future__ import annotations

import functools
import weakref
from types import FunctionType, MethodType, ModuleType
from typing import Any, ClassVar

from bgcheck.instrument import clients, plain_tasks, requests, site, tasks
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.patches import Patches, returns_coroutine

patches: Patches = Patches()
_roots: list[type] = []
_classes: weakref.WeakSet[type] = weakref.WeakSet()
_own: set[type] = set()
"""The groups of the framework itself, which call each of their tasks."""


class _Followed:
    """The recording in which the subclasses were looked at last, or 0, and which were met since."""

    recording = 0
    kinds: ClassVar[set[int]] = set()


_followed = _Followed()


def patch_background(module: ModuleType) -> None:
    """Patch `starlette.background`."""
    task, group = module.BackgroundTask, module.BackgroundTasks
    patches.wrap(task, "__init__", _wrap_task_init)
    patches.wrap(task, "__call__", _wrap_task_call)
    patches.wrap(group, "__init__", _wrap_group_init)
    patches.wrap(group, "__call__", _wrap_group_call)
    patches.wrap(module, "run_in_threadpool", _wrap_run_in_threadpool)
    patches.cover(task, "__init_subclass__", functools.partial(_tell_of_subclasses, task))
    _roots.append(task)
    _classes.update((task, group))
    _own.add(group)
    site.note_groups(group)
    plain_tasks.adders.add_task = group.add_task.__code__
    follow_subclasses()


def patch_applications(module: ModuleType) -> None:
    """Patch `starlette.applications`; FastAPI's application calls up to it."""
    patches.wrap(module.Starlette, "__call__", _wrap_app)


def patch_routing(module: ModuleType) -> None:
    """Patch `starlette.routing`, for an app that is a bare router."""
    patches.wrap(module.Router, "__call__", _wrap_app)


def patch_responses(module: ModuleType) -> None:
    """Patch `starlette.responses`, for an ASGI function that only uses a response class."""
    for name in ("Response", "StreamingResponse", "FileResponse"):
        patches.wrap(getattr(module, name), "__call__", _wrap_app)


def patch_testclient(module: ModuleType) -> None:
    """Patch `starlette.testclient`."""
    clients.patch_testclient(module, patches)


def patch_asgi_transport(module: ModuleType) -> None:
    """Patch the ASGITransport of httpx or httpx2."""
    clients.patch_asgi_transport(module, patches)


HOOKS = {
    "httpx._transports.asgi": patch_asgi_transport,
    "httpx2._transports.asgi": patch_asgi_transport,
    "starlette.testclient": patch_testclient,
    "starlette.background": patch_background,
    "starlette.applications": patch_applications,
    "starlette.routing": patch_routing,
    "starlette.responses": patch_responses,
}


def restore() -> None:
    """Put all that was patched back."""
    patches.restore()
    _roots.clear()
    _classes.clear()
    _own.clear()
    site.note_groups()
    plain_tasks.adders.forget()


def follow_subclasses() -> None:
    """Patch the subclasses that exist by now: what they override need not call up to Starlette."""
    _followed.recording = hub.recording_number
    _followed.kinds.clear()
    for root in _roots:
        _follow_below(root)


def _tell_of_subclasses(root: Any, inherited: object) -> Any:
    """Make the `__init_subclass__` that has the subclasses looked at before the next request.

    One with an `__init_subclass__` that does not call up is met in the next recording.
    """

    def __init_subclass__(kind: type, /, **options: Any) -> None:
        super(root, kind).__init_subclass__(**options)
        _followed.recording = 0

    return classmethod(__init_subclass__)


def _follow_below(kind: type) -> None:
    inner: type
    for inner in type.__subclasses__(kind):
        _follow_class(inner)
        _follow_below(inner)


def _follow_class(kind: type) -> None:
    if kind in _classes:
        return
    for base in reversed(kind.__mro__):
        if base not in _classes and issubclass(base, tuple(_roots)):
            _classes.add(base)
            _patch_class(base)


def _patch_class(kind: type) -> None:
    is_group = hasattr(kind, "add_task")
    if is_group:
        _note_group(kind)
    _wrap_own(kind, "__init__", _wrap_group_init if is_group else _wrap_own_init)
    wrap_call = _wrap_group_call if is_group else _wrap_task_call
    _wrap_own(kind, "__call__", wrap_call)
    if not issubclass(_definer(kind, "__call__"), tuple(_roots)):  # a mixin has it
        patches.cover(kind, "__call__", wrap_call)


def _note_group(kind: type) -> None:
    """Note whether a group is one of FastAPI, whose `add_task` calls up, or of user code."""
    if kind.__module__ == "fastapi.background":
        _own.add(kind)
        add_task = vars(kind).get("add_task")
        plain_tasks.adders.relay = getattr(add_task, "__code__", None)
    else:
        plain_tasks.adders.foreign = True


def _wrap_own(kind: type, name: str, wrap: Any) -> None:
    """Wrap a plain method; mocks and other descriptors stay as they are."""
    if isinstance(vars(kind).get(name), FunctionType):
        patches.wrap(kind, name, wrap)


def _definer(kind: type, name: str) -> type:
    return next(base for base in kind.__mro__ if name in vars(base))


def _wrap_task_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            try:
                if hub.plain_sink is None or not plain_tasks.schedule(self):
                    _schedule(self)
            except Exception as error:  # any bug of bgcheck
                hub.note(error)

    return __init__


def _schedule(live: Any) -> None:
    if type(live) not in _roots:
        _follow_class(type(live))
    task = tasks.schedule(live)
    if hub.plain_sink is not None and task.plain:
        plain_tasks.learn(live, task)


def _wrap_own_init(original: Any) -> Any:
    """Wrap the `__init__` of a subclass, which need not call up."""

    @functools.wraps(original)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            hub.guard(tasks.schedule, self, MethodType(original, self), args, kwargs)

    return __init__


def _wrap_group_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            try:
                if type(self) not in _own and id(type(self)) not in _followed.kinds:
                    _follow_class(type(self))
                    _followed.kinds.add(id(type(self)))
                request = current_request.get()
                if request is not None:
                    tasks.remember_group(self, request)
            except Exception as error:  # any bug of bgcheck
                hub.note(error)

    return __init__


def _wrap_task_call(original: Any) -> Any:
    @functools.wraps(original)
    async def ordinary(self: Any) -> None:
        __tracebackhide__ = True
        task = hub.guard(tasks.reached, self) if hub.sinks else None
        if task is None:
            await original(self)
        else:
            await tasks.run(task, original, self)

    @returns_coroutine
    @functools.wraps(original)
    def __call__(self: Any) -> Any:
        __tracebackhide__ = True
        if hub.plain_sink is None:
            return ordinary(self) if hub.sinks else original(self)
        task = tasks.plain_records.get(id(self))
        if (
            (task is not None and task.plain and not task.runs)
            and task.request is current_request.get()
            and task._live() is self  # noqa: SLF001 - saves a call
        ):
            return plain_tasks.run(task, original, self, ordinary)
        return ordinary(self)

    return __call__


def _wrap_group_call(original: Any) -> Any:
    @functools.wraps(original)
    async def observed(self: Any) -> None:
        __tracebackhide__ = True
        try:
            await original(self)
        except BaseException:
            hub.guard(tasks.abort_group, self)
            raise
        request = current_request.get()
        for task in request.tasks if request is not None else (None,):
            if task is None or task.ended_at is None:
                hub.guard(tasks.end_group, self)
                break

    @returns_coroutine
    @functools.wraps(original)
    def __call__(self: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is None or hub.plain_sink is None or type(self) not in _own:
            return observed(self) if hub.sinks else original(self)
        for live in self.tasks:
            task = tasks.plain_records.get(id(live))
            if task is None or not task.plain or task.request is not request:
                return observed(self)
        request.called += (self,)  # which of its tasks are skipped is asked at the end, if at all
        return original(self)

    return __call__


def _wrap_run_in_threadpool(original: Any) -> Any:
    @functools.wraps(original)
    async def run_in_threadpool(func: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.guard(tasks.is_func_of, task, func):
            func = tasks.in_worker(task, func)
        return await original(func, *args, **kwargs)

    return run_in_threadpool


def _wrap_app(original: Any) -> Any:
    @functools.wraps(original)
    async def observed(self: Any, scope: Any, receive: Any, send: Any) -> None:
        __tracebackhide__ = True
        request = None
        try:
            if _followed.recording != hub.recording_number:
                _restart()
            request = requests.begin(scope)
        except Exception as error:  # any bug of bgcheck
            hub.note(error)
        if request is None:
            await original(self, scope, receive, send)
            return
        token = current_request.set(request)
        failure: BaseException | None = None
        try:
            sender = requests.Sender(send, request)
            sends = sender.pass_on if hub.quiet else sender.observe
            await original(self, scope, receive, sends)
        except BaseException as error:
            failure = error
            raise
        finally:
            try:
                requests.end(request, token, failure)
            except Exception as error:  # any bug of bgcheck
                hub.note(error)

    @returns_coroutine
    @functools.wraps(original)
    def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        __tracebackhide__ = True
        if hub.sinks:
            request = current_request.get()
            if request is None or request.scope is not scope:
                return observed(self, scope, receive, send)
        return original(self, scope, receive, send)

    return __call__


def _restart() -> None:
    """The first request of a recording begins."""
    follow_subclasses()
    plain_tasks.restart()
