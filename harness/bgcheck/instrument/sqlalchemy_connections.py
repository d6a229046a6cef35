"""Listeners of pools and connections (SQLAlchemy 2.1, pool/events.py, engine/events.py).

Patched where there is no event: making an engine, closing a connection, waiting for a pool, and
the error about a transaction that must be rolled back first.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any

from bgcheck import events
from bgcheck.instrument import postgresql
from bgcheck.instrument.callers import stack_mentions, user_stack
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.sqlalchemy_base import (
    emit,
    how_closed,
    is_ours,
    listen,
    owner,
    patches,
    wrap_close,
)
from bgcheck.recorder.database import ConnectionInfo, Pair, statement_of, value_text
from bgcheck.recorder.identity import IdentityMap
from bgcheck.recorder.loops import loop_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

_connections: IdentityMap[ConnectionInfo] = IdentityMap()
_by_record: IdentityMap[ConnectionInfo] = IdentityMap()
_born_on: IdentityMap[int | None] = IdentityMap()
_pool_loops: IdentityMap[set[int]] = IdentityMap()
_urls: IdentityMap[str] = IdentityMap()
_engine_urls: IdentityMap[Any] = IdentityMap()
_engines: IdentityMap[weakref.ref[Any]] = IdentityMap()


def _connected(_: Any, record: Any) -> None:
    _born_on[record] = loop_number()


def _taken(_: Any, record: Any, fairy: Any) -> None:
    pool = fairy._pool  # noqa: SLF001
    loops = _pool_loops.get(pool)
    if loops is None:
        loops = _pool_loops[pool] = set()
    if is_ours():
        info = note_taken(record, fairy, *owner(), frozenset(loops))
        emit(events.ConnectionTaken, info, pool)
    number = loop_number()
    if number is not None:
        loops.add(number)


def note_taken(
    record: Any,
    fairy: Any,
    task: ScheduledTask | None,
    request: RequestInfo | None,
    loops: frozenset[int],
) -> ConnectionInfo:
    """Record that a connection is taken.

    Args:
        record: its place in the pool.
        fairy: what stands for it while it is taken.
        task: the task that takes it, or None.
        request: the request that takes it, or None.
        loops: where connections of the pool were taken before.
    """
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
        emit(events.ConnectionReturned, info)


def info_of(connection: Any) -> ConnectionInfo | None:
    """The record of the pooled connection behind a `Connection` of SQLAlchemy."""
    if connection.closed or connection.invalidated:
        return None
    return _connections.get(connection.connection)


def _connected_to(connection: Any) -> None:
    """An engine that was made before anybody listened tells its URL when it is used."""
    engine = connection.engine
    if _urls.get(engine.pool) is None:
        _note_engine(engine)
    info = info_of(connection)
    if info is not None:
        info.url = _urls.get(engine.pool, info.dialect)


def engine_of(pool: object) -> Any:
    """Return the engine that a pool belongs to, None where none was seen that still exists."""
    reference = _engines.get(pool)
    return reference() if reference is not None else None


def _note_engine(engine: Any) -> None:
    _engines[engine.pool] = weakref.ref(engine)
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
    info = info_of(connection)
    if info is not None:
        info.in_transaction = not connection._is_autocommit_isolation()  # noqa: SLF001
        info.commit_in_sight = False


def _committed(connection: Any) -> None:
    _transaction_ended(connection, "commit")


def _rolled_back(connection: Any, *_: Any) -> None:
    _transaction_ended(connection, "rollback")


def _transaction_ended(connection: Any, how: str) -> None:
    info = info_of(connection)
    if info is None:
        return
    writes, info.writes = info.writes, []
    info.in_transaction = False
    emit(events.TransactionEnded, info, how, tuple(writes), *how_closed())


def _savepoint_rolled_back(connection: Any, *_: Any) -> None:
    """A session that joined somebody else's transaction ends by its savepoint."""
    if how_closed()[0]:
        _transaction_ended(connection, "rollback")


def _sending(
    connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
) -> None:
    info = info_of(connection)
    if info is None:
        return
    info.statements += 1
    statement = statement_of(sql, parameters)
    autocommit = connection._is_autocommit_isolation()  # noqa: SLF001
    if statement.written is not None and not autocommit:
        info.writes.append((statement, current_task.get()))
        info.commit_in_sight |= stack_mentions("commit")
    emit(events.StatementStarted, info, statement)


def _sent(
    connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
) -> None:
    info = info_of(connection)
    if info is None:
        return
    if info.writes and info.writes[-1][0].sql == sql:
        note_keys(info, _row_made(cursor, context))
    emit(events.StatementFinished, info)


def note_keys(info: ConnectionInfo, pairs: Iterable[Pair]) -> None:
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
    info = info_of(context.connection) if context.connection is not None else None
    if info is None:
        return
    emit(events.StatementFinished, info)
    if _is_aborted(context.original_exception):
        emit(events.RollbackPending, str(context.original_exception))


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


def _wrap_pending(original: Any) -> Any:
    """Wrap the making of a `PendingRollbackError`, which is made only to be raised."""

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if hub.sinks and is_ours():
            hub.guard(emit, events.RollbackPending, f"{args[0] if args else ''}")

    return __init__


def _wrap_get(original: Any) -> Any:
    """Wrap the place where a pool waits for a connection."""

    @functools.wraps(original)
    def _do_get(self: Any) -> Any:
        __tracebackhide__ = True
        if hub.sinks and is_ours():
            hub.guard(_note_waiting, self)
        return original(self)

    return _do_get


def _note_waiting(pool: Any) -> None:
    limit = pool._max_overflow  # noqa: SLF001
    if limit > -1 and pool._overflow >= limit and not pool.checkedin():  # noqa: SLF001
        emit(events.PoolExhausted, id(pool), pool.status(), user_stack())


def _ignore(_: Any) -> None:
    """A connection tells of its end by its own events."""


def hook_core(module: ModuleType) -> None:
    """Listen to pools and connections."""
    pool, engine = sys.modules["sqlalchemy.pool"], sys.modules["sqlalchemy.engine"]
    listen(pool.Pool, connect=_connected, checkout=_taken, checkin=_returned, invalidate=_returned)
    listen(
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
    patches.wrap(engine.Engine, "__init__", _wrap_engine_init)
    patches.wrap(engine.Connection, "close", functools.partial(wrap_close, _ignore))
    patches.wrap(pool.QueuePool, "_do_get", _wrap_get)
    patches.cover(module.exc.PendingRollbackError, "__init__", _wrap_pending)
