"""Listeners of SQLAlchemy's own events, and patches where it has none.

Events: pools, connections and sessions (SQLAlchemy 2.1, pool/events.py, engine/events.py,
orm/events.py). Patches: making and closing a session, closing a connection, waiting for a pool,
the error about a transaction that must be rolled back first.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from bgcheck import events
from bgcheck.instrument import postgresql
from bgcheck.instrument.callers import frames, stack_mentions, user_stack
from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.patches import Patches
from bgcheck.recorder.database import (
    ConnectionInfo,
    Origin,
    Pair,
    SessionInfo,
    statement_of,
    value_text,
)
from bgcheck.recorder.identity import IdentityMap
from bgcheck.recorder.loops import loop_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from bgcheck.recorder.record import RequestInfo, ScheduledTask


class _Closing(NamedTuple):
    """A `close` that is on the stack; `by_error` if an error has led to it."""

    by_error: bool


_closing: ContextVar[_Closing | None] = ContextVar("bgcheck_closing", default=None)
_leaving_by_error: ContextVar[bool] = ContextVar("bgcheck_leaving_by_error", default=False)

_patches = Patches()
_listening: list[tuple[Any, str, Any]] = []

_connections: IdentityMap[ConnectionInfo] = IdentityMap()
_by_record: IdentityMap[ConnectionInfo] = IdentityMap()
_sessions: IdentityMap[SessionInfo] = IdentityMap()
_born_on: IdentityMap[int | None] = IdentityMap()
_pool_loops: IdentityMap[set[int]] = IdentityMap()
_urls: IdentityMap[str] = IdentityMap()
_engine_urls: IdentityMap[Any] = IdentityMap()


def _is_ours() -> bool:
    """Whether anybody listens, and a request or a task is under way here."""
    return bool(hub.sinks) and (current_task.get() is not None or current_request.get() is not None)


def _owner() -> tuple[ScheduledTask | None, RequestInfo | None]:
    """The task and the request that are under way here. What outlives its request is on its own."""
    task = current_task.get()
    return task, task.request if task is not None else current_request.get()


def _emit(kind: Callable[..., Any], *parts: Any) -> None:
    task, request = _owner()
    owner = task if task is not None else request
    hub.emit(kind(*parts, task, request), owner.recording if owner is not None else None)


# pools


def _connected(_: Any, record: Any) -> None:
    _born_on[record] = loop_number()


def _taken(_: Any, record: Any, fairy: Any) -> None:
    pool = fairy._pool  # noqa: SLF001
    loops = _pool_loops.get(pool)
    if loops is None:
        loops = _pool_loops[pool] = set()
    if _is_ours():
        info = _note_taken(record, fairy, *_owner(), frozenset(loops))
        _emit(events.ConnectionTaken, info, pool)
    number = loop_number()
    if number is not None:
        loops.add(number)


def _note_taken(
    record: Any,
    fairy: Any,
    task: ScheduledTask | None,
    request: RequestInfo | None,
    loops: frozenset[int],
) -> ConnectionInfo:
    pool = fairy._pool  # noqa: SLF001
    dialect = pool._dialect  # noqa: SLF001
    info = ConnectionInfo(
        task,
        request,
        user_stack(),
        pool=id(pool),
        url=_urls.get(pool, dialect.name),
        dialect=dialect.name,
        is_async=dialect.is_async,
        born_on=_born_on.get(record),
    )
    info.pool_loops = loops if _keeps_connections(pool) else frozenset()
    info.live = weakref.ref(fairy, functools.partial(_collected, info))
    _connections[fairy] = _by_record[record] = info
    return info


def _keeps_connections(pool: Any) -> bool:
    return type(pool).__name__ != "NullPool"


def _collected(info: ConnectionInfo, _: object) -> None:
    info.collected = not info.returned


def _returned(_: Any, record: Any, *args: Any) -> None:
    info = _by_record.get(record)
    if info is not None and not info.returned:
        info.returned = True
        _emit(events.ConnectionReturned, info)


# connections


def _info_of(connection: Any) -> ConnectionInfo | None:
    """The record of the pooled connection behind a `Connection` of SQLAlchemy."""
    if connection.closed or connection.invalidated:
        return None
    return _connections.get(connection.connection)


def _connected_to(connection: Any) -> None:
    """An engine that was made before anybody listened tells its URL when it is used."""
    engine = connection.engine
    if _urls.get(engine.pool) is None:
        _note_engine(engine)
    info = _info_of(connection)
    if info is not None:
        info.url = _urls.get(engine.pool, info.dialect)


def _note_engine(engine: Any) -> None:
    _engine_urls[engine.pool] = engine.url
    _urls[engine.pool] = engine.url.render_as_string(hide_password=True)


def _wrap_engine_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(self, *args, **kwargs)
        if hub.sinks:
            hub.guard(_note_engine, self)

    return __init__


def _begun(connection: Any) -> None:
    info = _info_of(connection)
    if info is not None:
        info.in_transaction = not connection._is_autocommit_isolation()  # noqa: SLF001
        info.commit_in_sight = False


def _committed(connection: Any) -> None:
    _transaction_ended(connection, "commit")


def _rolled_back(connection: Any, *_: Any) -> None:
    _transaction_ended(connection, "rollback")


def _transaction_ended(connection: Any, how: str) -> None:
    info = _info_of(connection)
    if info is None:
        return
    writes, info.writes = info.writes, []
    info.in_transaction = False
    _emit(events.TransactionEnded, info, how, tuple(writes), *_how_closed())


def _savepoint_rolled_back(connection: Any, *_: Any) -> None:
    """A session that joined somebody else's transaction ends by its savepoint."""
    if _closing.get() is not None:
        _transaction_ended(connection, "rollback")


def _how_closed() -> tuple[bool, bool]:
    closing = _closing.get()
    return closing is not None, closing is not None and closing.by_error


def _sending(
    connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
) -> None:
    info = _info_of(connection)
    if info is None:
        return
    info.statements += 1
    statement = statement_of(sql, parameters)
    autocommit = connection._is_autocommit_isolation()  # noqa: SLF001
    if statement.written is not None and not autocommit:
        info.writes.append((statement, current_task.get()))
        info.commit_in_sight |= stack_mentions("commit")
    _emit(events.StatementStarted, info, statement)


def _sent(
    connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
) -> None:
    info = _info_of(connection)
    if info is None:
        return
    if info.writes and info.writes[-1][0].sql == sql:
        _note_keys(info, _row_made(cursor, context))
    _emit(events.StatementFinished, info)


def _note_keys(info: ConnectionInfo, pairs: Iterable[Pair]) -> None:
    """Add keys that the database has made up to what the last write is about."""
    last, task = info.writes[-1]
    info.writes[-1] = (dataclasses.replace(last, pairs=last.pairs.union(pairs)), task)


def _row_made(cursor: Any, context: Any) -> Iterator[Pair]:
    """Yield column and value of the key that a single INSERT without ORM was given."""
    statement = getattr(getattr(context, "compiled", None), "statement", None)
    keys = list(getattr(getattr(statement, "table", None), "primary_key", ()))
    value = value_text(getattr(cursor, "lastrowid", None))
    if len(keys) == 1 and value is not None and getattr(context, "isinsert", False):
        yield keys[0].name.lower(), value


def _failed(context: Any) -> None:
    info = _info_of(context.connection) if context.connection is not None else None
    if info is None:
        return
    _emit(events.StatementFinished, info)
    if _is_aborted(context.original_exception):
        _emit(events.RollbackPending, str(context.original_exception))


def _is_aborted(error: BaseException) -> bool:
    """Whether PostgreSQL refused a statement because an earlier one of the transaction failed."""
    causes = (error, error.__cause__)
    return any(getattr(one, "sqlstate", None) == "25P02" for one in causes)


def server_state(info: ConnectionInfo) -> str | None:
    """Return what a PostgreSQL server says of a connection; None if it can't be asked."""
    fairy = info.live() if info.live is not None else None
    url = _engine_urls.get(fairy._pool) if fairy is not None else None  # noqa: SLF001
    pid = postgresql.backend_of(fairy) if url is not None else None
    return postgresql.state_of(url, pid) if pid is not None else None


# sessions


def _session_begun(session: Any, transaction: Any) -> None:
    info = _sessions.get(session)
    if info is None or not _is_ours() or transaction.parent is not None:
        return
    _emit(events.SessionBegan, info)
    info.closed = None
    info.commit_in_sight = stack_mentions("commit")


def _session_connected(session: Any, transaction: Any, connection: Any) -> None:
    info = _info_of(connection)
    known = _sessions.get(session)
    if known is None:
        return
    if info is None and known.request is not None and not known.request.finished:
        info = _note_late(connection, known)
    if info is not None:
        info.session = known
        known.connection = info


def _note_late(connection: Any, session: SessionInfo) -> ConnectionInfo:
    """Record the connection of a request's session that a thread without its context has taken."""
    fairy = connection.connection
    record = fairy._connection_record  # noqa: SLF001
    info = _note_taken(record, fairy, session.task, session.request, frozenset())
    info.in_transaction = True
    owner = session.task or session.request
    event = events.ConnectionTaken(info, fairy._pool, session.task, session.request)  # noqa: SLF001
    hub.emit(event, owner.recording if owner is not None else None)
    return info


def _attached(session: Any, instance: Any) -> None:
    """An object came into a session. Whether `commit` is in sight tells what is meant by it."""
    info = _sessions.get(session)
    if info is not None and _is_ours():
        info.writer = current_task.get() or info.writer
        info.commit_in_sight |= stack_mentions("commit")


def _flushed(session: Any, context: Any) -> None:
    info = _sessions.get(session) if _is_ours() else None
    if info is not None and info.connection is not None and info.connection.writes:
        _note_keys(info.connection, (pair for one in session.new for pair in _key_of(one)))


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
    task, request = _owner()
    stack = user_stack() if request is not None or task is not None else ()
    _sessions[session] = SessionInfo(task, request, stack, scoped=_is_scoped())


def _is_scoped() -> bool:
    names = (frame.f_globals.get("__name__") for frame in frames())
    return any(name == "sqlalchemy.util._collections" for name in names)


def _wrap_close(original: Any) -> Any:
    """Wrap the `close` of a session or a connection."""

    @functools.wraps(original)
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not hub.sinks or _closing.get() is not None:
            return original(self, *args, **kwargs)
        token = _closing.set(_Closing(_leaving_by_error.get() or sys.exc_info()[0] is not None))
        try:
            hub.guard(_note_closing, self)
            return original(self, *args, **kwargs)
        finally:
            _closing.reset(token)

    return close


def _note_closing(closed: Any) -> None:
    info = _sessions.get(closed)
    if info is None or not _is_ours():
        return
    task, request = _owner()
    stack = user_stack()
    info.commit_in_sight |= stack_mentions("commit")
    unwritten = sorted({type(one).__name__ for one in (*closed.new, *closed.deleted)})
    by_close, by_error = _how_closed()
    by_error = by_error or not closed.is_active
    _emit(events.SessionClosed, info, tuple(unwritten), by_close, by_error)
    info.closed = Origin(task, request, stack)
    info.writer = None


def _wrap_async_close(original: Any) -> Any:
    """Wrap an async `close` or `__aexit__`: the greenlet below does not know of an error here."""

    @functools.wraps(original)
    async def close(self: Any, *args: Any) -> Any:
        __tracebackhide__ = True
        token = _leaving_by_error.set(_leaving_by_error.get() or sys.exc_info()[0] is not None)
        try:
            return await original(self, *args)
        finally:
            _leaving_by_error.reset(token)

    return close


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
    if info is not None and _is_ours():
        _emit(events.SessionRolledBack, info)


def _wrap_pending(original: Any) -> Any:
    """Wrap the making of a `PendingRollbackError`, which is made only to be raised."""

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if hub.sinks and _is_ours():
            hub.guard(_emit, events.RollbackPending, f"{args[0] if args else ''}")

    return __init__


def _wrap_get(original: Any) -> Any:
    """Wrap the place where a pool waits for a connection."""

    @functools.wraps(original)
    def _do_get(self: Any) -> Any:
        __tracebackhide__ = True
        if hub.sinks and _is_ours():
            hub.guard(_note_waiting, self)
        return original(self)

    return _do_get


def _note_waiting(pool: Any) -> None:
    limit = pool._max_overflow  # noqa: SLF001
    if limit > -1 and pool._overflow >= limit and not pool.checkedin():  # noqa: SLF001
        _emit(events.PoolExhausted, id(pool), pool.status(), user_stack())


# setting up


def _listen(target: Any, **listeners: Callable[..., None]) -> None:
    event = sys.modules["sqlalchemy.event"]
    for name, listener in listeners.items():
        guarded = functools.partial(_call, listener)
        event.listen(target, name, guarded)
        _listening.append((target, name, guarded))


def _call(listener: Callable[..., None], *args: Any) -> None:
    if hub.sinks:
        hub.guard(listener, *args)


def hook_core(module: ModuleType) -> None:
    """Listen to pools and connections."""
    pool, engine = sys.modules["sqlalchemy.pool"], sys.modules["sqlalchemy.engine"]
    _listen(pool.Pool, connect=_connected, checkout=_taken, checkin=_returned, invalidate=_returned)
    _listen(
        engine.Engine,
        engine_connect=_connected_to,
        engine_disposed=_note_engine,
        begin=_begun,
        commit=_committed,
        rollback=_rolled_back,
        rollback_savepoint=_savepoint_rolled_back,
        before_cursor_execute=_sending,
        after_cursor_execute=_sent,
        handle_error=_failed,
    )
    _patches.wrap(engine.Engine, "__init__", _wrap_engine_init)
    _patches.wrap(engine.Connection, "close", _wrap_close)
    _patches.wrap(pool.QueuePool, "_do_get", _wrap_get)
    _patches.cover(module.exc.PendingRollbackError, "__init__", _wrap_pending)


def hook_orm(module: ModuleType) -> None:
    """Listen to sessions."""
    session = module.Session
    _listen(
        session,
        after_transaction_create=_session_begun,
        after_begin=_session_connected,
        after_attach=_attached,
        after_flush=_flushed,
    )
    _patches.wrap(session, "__init__", _wrap_init)
    _patches.wrap(session, "close", _wrap_close)
    _patches.wrap(session, "rollback", _wrap_rollback)


def hook_asyncio(module: ModuleType) -> None:
    """Learn of errors that lead to the end of an async session or connection."""
    for kind in (module.AsyncSession, module.AsyncConnection):
        for name in ("close", "__aexit__"):
            _patches.wrap(kind, name, _wrap_async_close)


HOOKS = {
    "sqlalchemy": hook_core,
    "sqlalchemy.orm": hook_orm,
    "sqlalchemy.ext.asyncio": hook_asyncio,
}


def remove() -> None:
    """Stop listening and put back what was patched."""
    event = sys.modules["sqlalchemy.event"]
    while _listening:
        target, name, listener = _listening.pop()
        event.remove(target, name, listener)
    _patches.restore()
