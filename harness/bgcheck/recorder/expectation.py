"""What a test expects of a scheduled task, and whether a record fits it."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec

from bgcheck.recorder.binding import bind, signature_of, unwrap
from bgcheck.recorder.params import Params, describe_params, equal
from bgcheck.recorder.record import ScheduledTask, describe_function

P = ParamSpec("P")


class Expectation:
    """An exact expectation: this function with these params. Made by `scheduled`."""

    __slots__ = ("func", "name", "params")

    def __init__(self, func: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self.func = func
        self.name = describe_function(func)
        self.params = dict(params)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Expectation):
            return self.func == other.func and self.params == other.params
        if not isinstance(other, ScheduledTask):
            return NotImplemented
        return is_task_of(other, self.func) and not differences(self.params, other, self.func)

    __hash__ = None  # type: ignore[assignment]

    def describe(self, shorten: Callable[[object], str] = repr) -> str:
        """Write the expectation as a call."""
        return f"{self.name}({describe_params(self.params, shorten)})"

    def __repr__(self) -> str:
        params = describe_params(self.params)
        return f"scheduled({self.name}{', ' if params else ''}{params})"


def scheduled(func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Expectation:
    """Expect `func` to be scheduled with exactly these arguments.

    The arguments bind to the signature of `func`, so that positional, keyword and default
    arguments are equal when they make the same call. Any of them may be a matcher: an object with
    an `__eq__` of its own.

    Returns:
        An expectation that equals a record of that call.

    Raises:
        TypeError: the arguments are not a call of `func`.

    Example:
        >>> def greet(name: str, polite: bool = True) -> None: ...
        >>> scheduled(greet, "Ada") == scheduled(greet, name="Ada", polite=True)
        True
    """
    __tracebackhide__ = True
    bound = bind(unwrap(func, args, kwargs))
    if bound.error is not None:
        raise TypeError(
            f"scheduled({describe_function(func)}, ...) is no call of {describe_function(func)}: "
            f"{bound.error}. Its signature is "
            f"{describe_function(func)}{signature_of(unwrap(func, (), {}).func)}."
        )
    return Expectation(func, bound.arguments)


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
            f"{describe_function(func)} has no parameter {unknown[0]!r}. "
            f"Its parameters are: {', '.join(parameters) or 'none'}."
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
    """One param that differs: its name, what was expected and what was found."""

    name: str
    expected: Any
    found: Any


class _Missing:
    """Stands for a param that one side does not have."""

    def __repr__(self) -> str:
        return "(nothing)"


MISSING = _Missing()


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
    params = _params_for(task, func)
    found: Mapping[str, Any] = params
    if partial:
        found = _flatten(params, task.func)
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


def _params_for(task: ScheduledTask, func: Callable[..., Any]) -> Params:
    """The params as `func` names them: with `self` where the test names the plain function."""
    actual = unwrap(task.func, (), {}).func
    if not isinstance(actual, types.MethodType) or isinstance(
        unwrap(func, (), {}).func, types.MethodType
    ):
        return task.params
    first = next(iter(signature_of(actual.__func__).parameters), "self")
    return task.params.extended({first: actual.__self__})


def _flatten(params: Params, func: Callable[..., Any]) -> Mapping[str, Any]:
    """Let the contents of `**kwargs` be named like other params."""
    for parameter in signature_of(unwrap(func, (), {}).func).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and parameter.name in params:
            return {**params[parameter.name], **params}
    return params
