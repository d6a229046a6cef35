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

_ANYTHING: Final = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)
"""Stands in for the signature of a callable that has none, such as many C functions."""

_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature] = weakref.WeakKeyDictionary()
_method_signatures: weakref.WeakKeyDictionary[Any, inspect.Signature] = weakref.WeakKeyDictionary()


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
    while isinstance(func, functools.partial):
        args = (*func.args, *args)
        kwargs = {**func.keywords, **kwargs}
        func = func.func
    return Call(func, args, kwargs)


def signature_of(func: Callable[..., Any], *, follow_wrapped: bool = True) -> inspect.Signature:
    """Return the signature of `func`, or `(*args, **kwargs)` where it has none."""
    if not follow_wrapped:
        return _inspect(func, follow_wrapped=False)
    method = isinstance(func, types.MethodType)
    key = func.__func__ if isinstance(func, types.MethodType) else func
    if not isinstance(key, types.FunctionType):
        return _inspect(func)
    cache = _method_signatures if method else _signatures
    if key not in cache:
        cache[key] = _inspect(func)
    return cache[key]


def _inspect(func: Callable[..., Any], *, follow_wrapped: bool = True) -> inspect.Signature:
    options: dict[str, Any] = {"follow_wrapped": follow_wrapped}
    if sys.version_info >= (3, 14):
        # Annotations may name what only a type checker imports.
        import annotationlib

        options["annotation_format"] = annotationlib.Format.FORWARDREF
    try:
        return inspect.signature(func, **options)
    except (TypeError, ValueError):
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
        return Bound(_apply(_ANYTHING, call), error)


def _apply(signature: inspect.Signature, call: Call) -> dict[str, Any]:
    bound = signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)
