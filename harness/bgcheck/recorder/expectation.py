"""What a test expects of a scheduled task, and whether a record fits it."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec

from bgcheck.recorder.binding import bind, signature_of, unwrap
from bgcheck.recorder.describe import MISSING, cut, safe_repr
from bgcheck.recorder.params import Params, describe_params, equal
from bgcheck.recorder.record import ScheduledTask, describe_function

P = ParamSpec("P")

COUNTS = ("times", "at_least", "at_most")
"""The keywords by which `expect` counts."""


class Expectation:
    """An exact expectation: this function with these params. Made by `scheduled`."""

    __slots__ = ("func", "name", "params")

    func: Callable[..., Any]
    """The callable, without any partial around it."""
    name: str
    """How messages name the callable."""
    params: dict[str, Any]
    """The arguments bound to the signature, defaults applied."""

    def __init__(self, func: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self.func = func
        self.name = describe_function(func)
        self.params = dict(params)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Expectation):
            return equal(self.func, other.func) and equal(self.params, other.params)
        if not isinstance(other, ScheduledTask):
            return NotImplemented
        return is_task_of(other, self.func) and not differences(self.params, other, self.func)

    def __repr__(self) -> str:
        params = describe_params(self.params, safe_repr)
        return f"scheduled({self.name}{', ' if params else ''}{params})"


def scheduled(func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Expectation:
    """Expect `func` to be scheduled with exactly these arguments.

    The arguments bind to the signature of `func`, so that positional, keyword and default
    arguments are equal when they make the same call. Any of them may be a matcher: an object with
    an `__eq__` of its own.

    Returns:
        An expectation that equals a record of that call.

    Raises:
        TypeError: the arguments are not a call of `func`, or `func` is not callable.

    Example:
        >>> def greet(name: str, polite: bool = True) -> None: ...
        >>> scheduled(greet, "Ada") == scheduled(greet, name="Ada", polite=True)
        True
    """
    __tracebackhide__ = True
    check_callable("scheduled", func)
    call = unwrap(func, args, kwargs)
    bound = bind(call)
    if bound.error is not None:
        name = describe_function(func)
        raise TypeError(
            f"scheduled({name}, ...) is no call: {bound.error}\n"
            f"  its signature: {name}{signature_of(call.func)}"
        )
    return Expectation(call.func, bound.arguments)


def check_callable(where: str, func: object) -> None:
    """Refuse what is not a function, before it silently matches nothing.

    Raises:
        TypeError: `func` is not callable.
    """
    __tracebackhide__ = True
    if isinstance(func, Expectation):
        raise TypeError(
            f"{where}() takes a function, not {cut(safe_repr(func), 40)}\n"
            "  for one exact call: scheduled(...) in bgtasks"
        )
    if not callable(func):
        raise TypeError(
            f"{where}() takes a function, not {cut(safe_repr(func), 40)}\n"
            "  pass the function itself, not its name or its result"
        )


def check_names(func: Callable[..., Any], names: Mapping[str, Any]) -> None:
    """Refuse params that `func` does not have.

    Raises:
        TypeError: a name is no parameter of `func`.
    """
    __tracebackhide__ = True
    parameters = signature_of(unwrap(func, (), {}).func).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    unknown = [name for name in names if name not in parameters]
    if unknown:
        raise TypeError(
            f"{describe_function(func)} has no parameter {unknown[0]!r}\n"
            f"  its parameters: {', '.join(parameters) or 'none'}"
        )


def check_counts(func: Callable[..., Any], counts: Mapping[str, int | None]) -> None:
    """Refuse a count whose name is a parameter of `func` too: it could mean either.

    Raises:
        TypeError: the name is ambiguous.
    """
    __tracebackhide__ = True
    parameters = signature_of(unwrap(func, (), {}).func).parameters
    for name, value in counts.items():
        if value is not None and name in parameters:
            task = describe_function(func)
            raise TypeError(
                f"{name}={value} could be the count or the parameter {name!r} of {task}\n"
                f"  for the param: bgtasks.of({task}, where=lambda task: "
                f"task.params[{name!r}] == {value})\n"
                f"  for the count: len(bgtasks.of({task})) == {value}"
            )


def is_task_of(task: ScheduledTask, func: Callable[..., Any]) -> bool:
    """Whether a task runs `func`: the same callable, a partial of it, or a bound method of it."""
    actual = unwrap(task.func, (), {}).func
    wanted = unwrap(func, (), {}).func
    return actual is wanted or equal(actual, wanted) or _unbound(actual) is wanted


def _unbound(func: Callable[..., Any]) -> object:
    return func.__func__ if isinstance(func, types.MethodType) else func


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: the path to it, what was expected and what was found."""

    name: str
    expected: Any
    found: Any


def differences(
    expected: Mapping[str, Any],
    task: ScheduledTask,
    func: Callable[..., Any],
    *,
    partial: bool = False,
) -> list[Difference]:
    """List the params of a task that differ from the expected ones.

    With `partial`, only those that are named are compared.
    """
    params = params_for(task, func)
    found: Mapping[str, Any] = _flatten(params, task.func) if partial else params
    names = list(expected) if partial else list(dict.fromkeys([*expected, *found]))
    return [
        Difference(name, expected.get(name, MISSING), found.get(name, MISSING))
        for name in names
        if not _same(params, expected.get(name, MISSING), found.get(name, MISSING))
    ]


def _same(params: Params, expected: Any, found: Any) -> bool:
    if expected is MISSING or found is MISSING:
        return expected is found
    return params.same(expected, found)


def params_for(task: ScheduledTask, func: Callable[..., Any]) -> Params:
    """Return the params as `func` names them: with `self` where it is the plain function."""
    actual = unwrap(task.func, (), {}).func
    if not isinstance(actual, types.MethodType) or isinstance(
        unwrap(func, (), {}).func, types.MethodType
    ):
        return task.params
    first = next(iter(signature_of(actual.__func__).parameters), "self")
    return task.params.extended({first: actual.__self__})


def _flatten(params: Params, func: Callable[..., Any]) -> Mapping[str, Any]:
    """Let the contents of `**kwargs` be named like other params."""
    for name in _var_keywords(params, func):
        if isinstance(params.get(name), Mapping):
            return {**params[name], **params}
    return params


def _var_keywords(params: Params, func: Callable[..., Any]) -> Iterator[str]:
    """The names of `**kwargs` in the signatures to which the call may have been bound."""
    inner = unwrap(func, (), {}).func
    for follow_wrapped in (True, False):
        for parameter in signature_of(inner, follow_wrapped=follow_wrapped).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                yield parameter.name
    if params.error is not None:
        yield "kwargs"
