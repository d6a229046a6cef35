"""Faults in the callables and arguments of tasks."""

import copy
import functools
import inspect
from typing import Any

from starlette.background import BackgroundTask

from .planting import Patches, fault, make_tasks


@fault("arguments-copied", "arguments are deep copies")
def _arguments_copied(patches: Patches) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        original(self, func, *map(_copied, args), **{k: _copied(v) for k, v in kwargs.items()})

    patches.set(BackgroundTask, "__init__", init)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


@fault("bound-early", "a call that does not fit is refused when it is scheduled")
def _bound_early(patches: Patches) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        inspect.signature(func).bind(*args, **kwargs)
        original(self, func, *args, **kwargs)

    patches.set(BackgroundTask, "__init__", init)


@fault("keywords-dropped", "keyword arguments are dropped")
def _keywords_dropped(patches: Patches) -> None:
    make_tasks(patches, lambda func, args, _: (func, args, {}))


@fault("arguments-reversed", "positional arguments arrive in reverse order")
def _arguments_reversed(patches: Patches) -> None:
    make_tasks(patches, lambda func, args, kwargs: (func, args[::-1], kwargs))


@fault("surplus-arguments-dropped", "positional arguments that do not fit are dropped")
def _surplus_arguments_dropped(patches: Patches) -> None:
    make_tasks(patches, lambda func, args, kwargs: (func, _fitting(func, args), kwargs))


def _fitting(func: Any, args: Any) -> Any:
    try:
        parameters = inspect.signature(func).parameters.values()
    except ValueError:
        return args
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return args
    return args[: sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)]


@fault("last-arguments-win", "a function that is added again gets the last arguments each time")
def _last_arguments_win(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected
    from starlette.background import BackgroundTasks

    def add_task(self: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        for task in self.tasks:
            if task.func == func:
                task.args, task.kwargs = args, kwargs
        self.tasks.append(BackgroundTask(func, *args, **kwargs))

    for cls in dict.fromkeys([BackgroundTasks, Injected]):
        if "add_task" in vars(cls):
            patches.set(cls, "add_task", add_task)


@fault("partial-unwrapped", "a partial loses its own arguments")
def _partial_unwrapped(patches: Patches) -> None:
    make_tasks(patches, lambda func, args, kwargs: (_unwrapped(func), args, kwargs))


def _unwrapped(func: Any) -> Any:
    while isinstance(func, functools.partial):
        func = func.func
    return func


@fault("method-of-a-copy", "a bound method is called on a copy of its object")
def _method_of_a_copy(patches: Patches) -> None:
    make_tasks(patches, lambda func, args, kwargs: (_on_a_copy(func), args, kwargs))


def _on_a_copy(func: Any) -> Any:
    if not inspect.ismethod(func) or inspect.isclass(func.__self__):
        return func
    owner = copy.copy(func.__self__)
    for name, value in vars(owner).items():
        setattr(owner, name, copy.copy(value) if isinstance(value, list) else type(value)())
    return getattr(owner, func.__name__)


@fault("objects-not-called", "an object with a call is not called")
def _objects_not_called(patches: Patches) -> None:
    plain = (type, functools.partial)

    def make(func: Any, args: Any, kwargs: Any) -> Any:
        if inspect.isroutine(func) or isinstance(func, plain):
            return func, args, kwargs
        return (lambda *_, **__: None), args, kwargs

    make_tasks(patches, make)


@fault("class-methods-unbound", "a class method or static method is called without its binding")
def _class_methods_unbound(patches: Patches) -> None:
    def make(func: Any, args: Any, kwargs: Any) -> Any:
        bound_to_a_class = inspect.ismethod(func) and inspect.isclass(func.__self__)
        return (func.__func__ if bound_to_a_class else func), args, kwargs

    make_tasks(patches, make)


@fault("builtins-refused", "a callable without a signature is refused when it is scheduled")
def _builtins_refused(patches: Patches) -> None:
    def make(func: Any, args: Any, kwargs: Any) -> Any:
        inspect.signature(func)
        return func, args, kwargs

    make_tasks(patches, make)


@fault("call-hidden", "a task does not show its function and arguments")
def _call_hidden(patches: Patches) -> None:
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        original(self, func, *args, **kwargs)
        vars(self).update(func=functools.partial(func, *args, **kwargs), args=(), kwargs={})

    patches.set(BackgroundTask, "__init__", init)
