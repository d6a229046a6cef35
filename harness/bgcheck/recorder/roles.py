"""What an argument is to an application: a session, a request, an upload, ..."""

from __future__ import annotations

import weakref
from typing import Any, Final

_BY_CLASS: Final = {
    ("sqlalchemy.orm.session", "Session"): "session-argument",
    ("sqlalchemy.ext.asyncio.session", "AsyncSession"): "async-session-argument",
    ("sqlalchemy.orm.scoping", "scoped_session"): "scoped-session-argument",
    ("sqlalchemy.ext.asyncio.scoping", "async_scoped_session"): "scoped-session-argument",
    ("sqlalchemy.orm.session", "sessionmaker"): "session-factory-argument",
    ("sqlalchemy.ext.asyncio.session", "async_sessionmaker"): "session-factory-argument",
    ("starlette.requests", "Request"): "request-argument",
    ("starlette.websockets", "WebSocket"): "websocket-argument",
    ("starlette.datastructures", "UploadFile"): "upload-argument",
    ("starlette.responses", "Response"): "response-argument",
    ("starlette.background", "BackgroundTask"): "group-argument",
}
MAPPED: Final = "orm-argument"
"""The role of an instance that SQLAlchemy maps to a row."""

_roles: weakref.WeakKeyDictionary[type, str | None] = weakref.WeakKeyDictionary()


def role_of(kind: type[Any]) -> str | None:
    """Return the role of the objects of a class, or None; a subclass has that of its base."""
    try:
        return _roles[kind]
    except KeyError:
        names = ((base.__module__, base.__name__) for base in kind.__mro__)
        found = _roles[kind] = next((_BY_CLASS[n] for n in names if n in _BY_CLASS), None)
        return found
