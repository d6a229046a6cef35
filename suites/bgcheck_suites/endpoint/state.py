"""The state of an app as numbers: what its functions keep in memory and its databases hold."""

import asyncio
import collections
import gc
import math
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from typing import Any

from bgcheck.instrument.sqlalchemy_connections import engine_of
from bgcheck.recorder.usercode import is_user_file

from .injection import code_of
from .trial import Trial

DEPTH = 4
"""How deep functions, containers and objects are looked into."""
ITEMS = 200
"""How many items of a container are looked at."""

Numbers = dict[str, float]


def state_of(made: Trial) -> Numbers:
    """Return the state of the app behind a trial."""
    functions = [*made.functions, *made.wire.endpoints]
    found = dict(_numbers(made.subject.probe(), "probe", DEPTH))
    seen: set[int] = set()
    for function in functions:
        found.update(_of_function(function, DEPTH, seen))
    for engine in engines(made):
        if not is_ignored(engine, made):
            found.update(_of_engine(engine, made))
    return found


def change(before: Numbers, after: Numbers) -> Numbers:
    """Return by how much each number has changed."""
    return {
        name: after.get(name, 0.0) - before.get(name, 0.0)
        for name in {*before, *after}
        if after.get(name, 0.0) != before.get(name, 0.0)
    }


def _of_function(function: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, float]]:
    code = code_of(function)
    holder = _function_of(function)
    if isinstance(function, types.MethodType):
        yield from _numbers(function.__self__, type(function.__self__).__name__, depth)
    if code is None or holder is None or id(code) in seen or not is_user_file(code.co_filename):
        return
    seen.add(id(code))
    for name, value in _names(holder, code):
        path = f"{code.co_filename}:{name}"
        if isinstance(value, types.FunctionType):
            if depth:
                yield from _of_function(value, depth - 1, seen)
        else:
            yield from _numbers(value, path, depth)


def _function_of(function: Any) -> types.FunctionType | None:
    while not isinstance(function, types.FunctionType):
        inner = [getattr(function, name, None) for name in ("func", "__func__", "__wrapped__")]
        function = next((one for one in inner if one is not None), None)
        if function is None:
            return None
    wrapped = getattr(function, "__wrapped__", None)
    return _function_of(wrapped) if wrapped is not None else function


def _names(function: types.FunctionType, code: types.CodeType) -> Iterator[tuple[str, Any]]:
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _numbers(value: Any, name: str, depth: int) -> Iterator[tuple[str, float]]:
    """Yield the numbers in a value, and the lengths of its containers."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        yield name, float(value)
    elif isinstance(value, (list, tuple, set, frozenset, dict, collections.deque)):
        yield f"{name}.length", float(len(value))
        if depth:
            yield from _inside(value, name, depth - 1)
    elif depth and _is_data(value):
        for key, inner in list(vars(value).items()):
            yield from _numbers(inner, f"{name}.{key}", depth - 1)


def _inside(value: Any, name: str, depth: int) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in list(value.items())[:ITEMS]:
            if isinstance(key, (str, int)):
                yield from _numbers(inner, f"{name}.{key}", depth)
    else:
        yield f"{name}.sum", float(sum(one for one in value if isinstance(one, (int, float))))


def _is_data(value: Any) -> bool:
    """Whether an object is one of the user's own classes, with attributes to look at."""
    kind = type(value)
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    return (
        isinstance(file, str)
        and is_user_file(file)
        and isinstance(getattr(value, "__dict__", 0), dict)
    )


def engines(made: Trial) -> list[Any]:
    """Return the synchronous engines whose pools the trial has used."""
    known = made.witness.engines
    for number, pool in list(made.witness.pools.items()):
        if number not in known:
            known[number] = engine_of(pool) or _find_engine(pool)
    return [engine for engine in known.values() if engine is not None]


def _find_engine(pool: Any) -> Any:
    """Search all objects for the engine that a pool belongs to; the pool does not know it."""
    for holder in gc.get_referrers(pool):
        owner = holder if type(holder) is not dict else _owner(holder)
        if _is_engine(owner) and getattr(owner, "pool", None) is pool:
            return owner
    return None


def _owner(namespace: dict[Any, Any]) -> Any:
    return next(
        (one for one in gc.get_referrers(namespace) if getattr(one, "__dict__", None) is namespace),
        None,
    )


def _is_engine(one: Any) -> bool:
    return any(
        base.__name__ == "Engine" and base.__module__ == "sqlalchemy.engine.base"
        for base in type(one).__mro__
    )


def is_ignored(engine: Any, made: Trial) -> bool:
    """Whether the adopter does not want an engine to be looked at."""
    return any(
        engine is one or engine is getattr(one, "sync_engine", None)
        for one in made.subject.ignore_engines
    )


def is_async(engine: Any) -> bool:
    """Whether the driver of an engine needs an event loop."""
    return bool(getattr(engine.dialect, "is_async", False))


def _of_engine(engine: Any, made: Trial) -> Numbers:
    if not is_async(engine):
        with engine.connect() as connection:
            return _read(connection)
    from sqlalchemy.ext.asyncio import AsyncEngine

    async def read() -> Numbers:
        async with AsyncEngine(engine).connect() as connection:
            return await connection.run_sync(_read)

    found: Numbers = made.client.run(read)
    return found


def _read(connection: Any) -> Numbers:
    """Count the rows of each table, and add up its numbers; keys differ by themselves."""
    from sqlalchemy import Integer, MetaData, Numeric, func, select

    metadata = MetaData()
    metadata.reflect(connection, resolve_fks=False)
    found: Numbers = {}
    for table in metadata.sorted_tables:
        columns = [
            column
            for column in table.columns
            if isinstance(column.type, (Integer, Numeric))
            and not column.primary_key
            and not column.foreign_keys
        ]
        sums = [func.sum(column) for column in columns]
        row = connection.execute(select(func.count(), *sums).select_from(table)).one()
        found[f"table {table.name}.rows"] = float(row[0])
        found.update(
            {
                f"table {table.name}.sum of {column.name}": float(total or 0)
                for column, total in zip(columns, row[1:], strict=True)
            }
        )
    return found


async def _drivers_ended(made: Trial) -> None:
    """Let the threads of aiosqlite end, which call the loop once more after a cancellation."""
    for _ in range(50):
        new = set(threading.enumerate()) - made.threads
        if not any("_connection_worker_thread" in thread.name for thread in new):
            return
        await asyncio.sleep(0.02)


def dispose_async(made: Trial) -> None:
    """Close the pooled connections of async engines in the loop that made them."""
    found = [engine for engine in engines(made) if is_async(engine)]
    if not found:
        return
    from sqlalchemy.ext.asyncio import AsyncEngine

    cancelled = any(task.outcome == "cancelled" for task in made.bgtasks)

    async def dispose() -> None:
        for engine in found:
            await AsyncEngine(engine).dispose()
        if cancelled:
            await _drivers_ended(made)

    made.client.run(dispose)
    if cancelled:
        gc.collect()  # what a driver has lost by that, such as a connection half made
