"""Bind arguments to the signature of a callable, whatever kind of callable it is."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

if sys.version_info >= (3, 14):
    import annotationlib

_PLAIN: Final = inspect.Parameter.POSITIONAL_OR_KEYWORD
_NAMED: Final = inspect.Parameter.KEYWORD_ONLY
_ANYTHING: Final = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)
"""Stands in for the signature of a callable that has none, such as many C functions."""

_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature] = weakref.WeakKeyDictionary()
_method_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature] = weakref.WeakKeyDictionary()

queue_tasks: Final[list[tuple[type, str]]] = []
"""Task objects of the queue libraries that are imported, and where each has its function."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the function inside any partial, and all arguments that reach it."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def unwrap(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Look through `functools.partial`, so that a partial and its plain call are the same call.

    Example:
        >>> unwrap(functools.partial(max, 1), (2,), {}) == Call(max, (1, 2), {})
        True
    """
    if queue_tasks:
        func = behind_queue(func)
    while isinstance(func, functools.partial):
        args = (*func.args, *args)
        kwargs = {**func.keywords, **kwargs}
        func = func.func
    return Call(func, args, kwargs)


def behind_queue(func: Any) -> Any:
    """Return the user's function inside a task object of a queue library, or what is given."""
    for kind, attribute in queue_tasks:
        if isinstance(func, kind):
            return behind_queue(inspect.unwrap(getattr(func, attribute)))
    return func


def signature_of(func: Callable[..., Any], *, follow_wrapped: bool = True) -> inspect.Signature:
    """Return the signature of `func`, or `(*args, **kwargs)` where it has none."""
    if not follow_wrapped:
        return _inspect(func, follow_wrapped=False)
    if isinstance(func, types.MethodType):
        inner: object = func.__func__
        plain = type(inner) is types.FunctionType
        return _cached(_method_signatures, inner, func) if plain else _inspect(func)
    return _cached(_signatures, func, func) if type(func) is types.FunctionType else _inspect(func)


def _cached(
    cache: weakref.WeakKeyDictionary[Any, inspect.Signature], key: object, func: Callable[..., Any]
) -> inspect.Signature:
    signature = cache.get(key)
    if signature is None:
        signature = cache[key] = _inspect(func)
    return signature


def _inspect(func: Callable[..., Any], *, follow_wrapped: bool = True) -> inspect.Signature:
    options: dict[str, Any] = {"follow_wrapped": follow_wrapped}
    if sys.version_info >= (3, 14):
        # Annotations may name what only a type checker imports.
        options["annotation_format"] = annotationlib.Format.FORWARDREF
    try:
        return inspect.signature(func, **options)
    except Exception:  # it has none, or a foreign attribute access failed
        return _ANYTHING


@dataclass(frozen=True, slots=True)
class Bound:
    """Arguments by parameter name with defaults applied, or why they do not bind."""

    arguments: dict[str, Any]
    error: TypeError | None = None


def bind(call: Call) -> Bound:
    """Bind a call to its function's signature.

    A decorator that rewrites the call has the signature of the function inside it; where that does
    not fit, its own signature counts. Arguments that fit neither stay under `args` and `kwargs`.
    """
    signature = signature_of(call.func)
    try:
        return Bound(_apply(signature, call))
    except TypeError as error:
        if hasattr(call.func, "__wrapped__"):
            try:
                return Bound(_apply(signature_of(call.func, follow_wrapped=False), call))
            except TypeError:
                pass
        # Without its traceback, which would keep the live arguments.
        return Bound(_apply(_ANYTHING, call), error.with_traceback(None))


def _apply(signature: inspect.Signature, call: Call) -> dict[str, Any]:
    arguments = _apply_simply(signature, call)
    if arguments is not None:
        return arguments
    bound = signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _apply_simply(signature: inspect.Signature, call: Call) -> dict[str, Any] | None:
    """Bind where every parameter has one plain value: five times as fast as `inspect`.

    Returns None for any other call, also for one that does not bind.
    """
    parameters = signature.parameters
    arguments = dict(zip(parameters, call.args))  # noqa: B905 - the rest comes by name
    if len(arguments) != len(call.args):
        return None
    left = len(call.kwargs)
    for name, parameter in parameters.items():
        if parameter.kind is not _PLAIN and (parameter.kind is not _NAMED or name in arguments):
            return None
        if name in call.kwargs:
            if name in arguments:
                return None
            left -= 1
            arguments[name] = call.kwargs[name]
        elif name not in arguments:
            if parameter.default is parameter.empty:
                return None
            arguments[name] = parameter.default
    return arguments if left == 0 else None
