"""The app that is verified: from its place, from a factory, or as it is given."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from .subject import SubjectError

USUAL = "give an app, a function that makes one, or its place, such as 'myproject.main:app'"


def load_app(given: Any) -> Any:
    """Return the ASGI application behind `module:app`, `module:create_app`, a factory, or an app.

    Raises SubjectError where there is none; the message says why.
    """
    place = f"{given!r}" if isinstance(given, str) else f"the app {given!r}"
    found = _imported(given) if isinstance(given, str) else given
    if _is_factory(found):
        found = _called(f"calling {place}", found)
    if inspect.iscoroutine(found):
        found.close()
        raise SubjectError(f"{place} is an `async def` function: {USUAL}")
    if not _is_app(found):
        kind = type(found).__name__
        raise SubjectError(f"{place} is no ASGI application, but of type {kind}: {USUAL}")
    return found


def _imported(place: str) -> Any:
    module, colon, name = place.partition(":")
    if not colon or not name or not module:
        raise SubjectError(f"{place!r} names no app: write 'myproject.main:app'")
    found: Any = _called(f"importing {module!r}", lambda: importlib.import_module(module))
    for part in name.split("."):
        if not hasattr(found, part):
            raise SubjectError(f"{place!r}: {module} has no {name!r}")
        found = getattr(found, part)
    return found


def _called(what: str, function: Callable[[], Any]) -> Any:
    """Run code of the project, which may fail in any way."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise SubjectError(f"{what} failed: {type(error).__name__}: {error}") from error


def _is_factory(found: Any) -> bool:
    """Whether something makes an app: a function that needs no argument."""
    return callable(found) and not isinstance(found, type) and _takes(found)


def _is_app(found: Any) -> bool:
    return callable(found) and _takes(found, "scope", "receive", "send")


def _takes(found: Any, *arguments: str) -> bool:
    try:
        inspect.signature(found).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True
