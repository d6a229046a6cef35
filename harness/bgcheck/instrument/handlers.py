"""Find the exception handler that an application has registered for an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgcheck.recorder.failure import type_name


def handler_of(error: BaseException, scope: Mapping[str, Any] | None) -> str | None:
    """Return the class whose handler would answer `error` if an endpoint raised it, as text.

    The handler of last resort, for `Exception` or status 500, does not count: it is for errors
    that nobody expects.
    """
    app = scope.get("app") if scope is not None else None
    registered = getattr(app, "exception_handlers", None)
    classes = set(registered) if isinstance(registered, Mapping) else set()
    for kind in type(error).__mro__:
        if kind is Exception:
            return None
        if kind in classes or _is_http_exception(kind):
            return type_name(kind)
    return None


def _is_http_exception(kind: type) -> bool:
    """Starlette handles it even where no handler is registered."""
    return kind.__module__ == "starlette.exceptions" and kind.__name__ == "HTTPException"
