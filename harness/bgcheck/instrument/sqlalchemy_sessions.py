"""Listeners of sessions (SQLAlchemy 2.1, orm/events.py).

Patched where there is no event: making a session, closing it, rolling it back.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from bgcheck import events
from bgcheck.instrument.callers import frames, stack_mentions, user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.sqlalchemy_base import (
    emit,
    how_closed,
    is_ours,
    listen,
    owner,
    patches,
    wrap_async_close,
    wrap_close,
)
from bgcheck.instrument.sqlalchemy_connections import info_of, note_keys, note_taken
from bgcheck.recorder.database import ConnectionInfo, Origin, Pair, SessionInfo, value_text
from bgcheck.recorder.identity import IdentityMap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_sessions: IdentityMap[SessionInfo] = IdentityMap()


def _session_begun(session: Any, transaction: Any) -> None:
    info = _sessions.get(session)
    if info is None or not is_ours() or transaction.parent is not None:
        return
    emit(events.SessionBegan, info)
    info.closed = None
    info.commit_in_sight = stack_mentions("commit")


def _session_connected(session: Any, transaction: Any, connection: Any) -> None:
    info = info_of(connection)
    known = _sessions.get(session)
    if known is None:
        return
    request = known.request if connection is not session.bind else None
    if info is None and request is not None and not request.finished:
        info = _note_late(connection, known)
    if info is not None:
        info.session = known
        known.connection = info


def _note_late(connection: Any, session: SessionInfo) -> ConnectionInfo:
    """Record the connection of a request's session that a thread without its context has taken."""
    fairy = connection.connection
    record = fairy._connection_record  # noqa: SLF001
    info = note_taken(record, fairy, session.task, session.request, frozenset())
    info.in_transaction = True
    source = session.task or session.request
    event = events.ConnectionTaken(info, fairy._pool, session.task, session.request)  # noqa: SLF001
    hub.emit(event, source.recording if source is not None else None)
    return info


def _attached(session: Any, instance: Any) -> None:
    """An object came into a session. Whether `commit` is in sight tells what is meant by it."""
    info = _sessions.get(session)
    if info is not None and is_ours():
        info.writer = current_task.get() or info.writer
        info.commit_in_sight |= stack_mentions("commit")


def _flushed(session: Any, context: Any) -> None:
    info = _sessions.get(session) if is_ours() else None
    if info is not None and info.connection is not None and info.connection.writes:
        note_keys(info.connection, (pair for one in session.new for pair in _key_of(one)))


def _key_of(instance: Any) -> Iterator[Pair]:
    """Yield columns and values of the primary key; loads nothing."""
    mapper = sys.modules["sqlalchemy"].inspect(instance).mapper
    values = mapper.primary_key_from_instance(instance)
    for column, value in zip(mapper.primary_key, values, strict=True):
        text = value_text(value)
        if text is not None:
            yield column.name.lower(), text


def _wrap_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            hub.guard(_note_session, self)

    return __init__


def _note_session(session: Any) -> None:
    """Record a session; one made outside of any request belongs to a fixture or to the app."""
    task, request = owner()
    stack = user_stack() if request is not None or task is not None else ()
    _sessions[session] = SessionInfo(task, request, stack, scoped=_is_scoped())


def _is_scoped() -> bool:
    names = (frame.f_globals.get("__name__") for frame in frames())
    return any(name == "sqlalchemy.util._collections" for name in names)


def _note_closing(closed: Any) -> None:
    info = _sessions.get(closed)
    if info is None or not is_ours():
        return
    task, request = owner()
    stack = user_stack()
    info.commit_in_sight |= stack_mentions("commit")
    unwritten = sorted({type(one).__name__ for one in (*closed.new, *closed.deleted)})
    by_close, by_error = how_closed()
    by_error = by_error or not closed.is_active
    emit(events.SessionClosed, info, tuple(unwritten), by_close, by_error)
    info.closed = Origin(task, request, stack)
    info.writer = None


def _wrap_rollback(original: Any) -> Any:
    @functools.wraps(original)
    def rollback(self: Any) -> None:
        __tracebackhide__ = True
        original(self)
        if hub.sinks:
            hub.guard(_note_rollback, self)

    return rollback


def _note_rollback(session: Any) -> None:
    info = _sessions.get(session)
    if info is not None and is_ours():
        emit(events.SessionRolledBack, info)


def hook_orm(module: ModuleType) -> None:
    """Listen to sessions."""
    session = module.Session
    listen(
        session,
        after_transaction_create=_session_begun,
        after_begin=_session_connected,
        after_attach=_attached,
        after_flush=_flushed,
    )
    patches.wrap(session, "__init__", _wrap_init)
    patches.wrap(session, "close", functools.partial(wrap_close, _note_closing))
    patches.wrap(session, "rollback", _wrap_rollback)


def hook_asyncio(module: ModuleType) -> None:
    """Learn of errors that lead to the end of an async session or connection."""
    for kind in (module.AsyncSession, module.AsyncConnection):
        for name in ("close", "__aexit__"):
            patches.wrap(kind, name, wrap_async_close)
