"""Tell in little time that there is nothing to see in a call: no check can find fault with it."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from bgcheck.recorder.contents import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIADIC: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_SETTLED: Final = frozenset({type(None), bool})
"""Classes of defaults that mean the same at each call, whatever they were computed from."""


def is_plain_call(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call binds, and its function and arguments hold nothing that could change.

    That is a function that is not decorated, not a closure and has no defaults but None and
    booleans, with numbers, strings and the like as arguments. Other calls may be as harmless.
    """
    if type(func) is not FunctionType or func.__closure__ or func.__kwdefaults__ or func.__dict__:
        return False
    code = func.__code__
    if code.co_kwonlyargcount or code.co_flags & _VARIADIC or not _binds(func, args, kwargs):
        return False
    return CONSTANT.issuperset(map(type, args))


def _binds(func: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether arguments fit; with keyword arguments only if all parameters are given."""
    code = func.__code__
    missing = code.co_argcount - len(args) - len(kwargs)
    if missing or func.__defaults__:
        defaults = func.__defaults__ or ()
        if kwargs or not 0 <= missing <= len(defaults):
            return False
        if not all(type(value) in _SETTLED for value in defaults):
            return False
    if kwargs:
        names = code.co_varnames[max(len(args), code.co_posonlyargcount) : code.co_argcount]
        for name, value in kwargs.items():
            if name not in names or type(value) not in CONSTANT:
                return False
    return True
