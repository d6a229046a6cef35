"""Who makes a blocking call: user code, a library for it, or the event loop for itself."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from bgcheck.instrument.callers import RUNS_TASKS, frames
from bgcheck.recorder.record import Site
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from types import FrameType

LOOPS: Final = frozenset({"anyio", "asyncio", "trio", "uvloop"})
"""Packages that know what blocks their loop; so do those that log."""

_QUIET: Final = LOOPS | {"logging", "loguru", "structlog"}

_DATABASES: Final = frozenset(
    {
        "MySQLdb",
        "mysql",
        "oracledb",
        "peewee",
        "pg8000",
        "pony",
        "psycopg",
        "psycopg2",
        "pymongo",
        "pymssql",
        "pymysql",
        "redis",
        "sqlalchemy",
        "sqlite3",
    }
)
"""Packages that make a blocking call one of a database."""


def is_database(name: str) -> bool:
    """Whether a module, or what it defines, belongs to a library for databases."""
    return name.partition(".")[0] in _DATABASES


class Caller(NamedTuple):
    """The line that makes a call.

    Attributes:
        line: the innermost line of user code, or the task's own line where it has none.
        entered: the function of a library that this line calls, or None if it makes the call.
        database: a library for databases makes the call.
    """

    line: Site
    entered: str | None
    database: bool


def caller(*, direct: bool = False, loops: bool = False) -> Caller | None:
    """Return who makes a call that is on the stack, or None for a loop that serves itself.

    Args:
        direct: only user code that makes the call itself counts.
        loops: what is called is part of a loop, and its packages count as any library.
    """
    inner: FrameType | None = None
    packages: set[str] = set()
    for frame in frames():
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if package == "bgcheck":
            if module in RUNS_TASKS:
                break
        elif is_user_file(frame.f_code.co_filename):
            return Caller(_site(frame), _name(inner), any(map(is_database, packages)))
        elif direct or (package in _QUIET and not loops):
            return None
        elif package not in ("starlette", "fastapi"):
            inner = frame
            packages.add(package)
    else:
        return None
    if inner is None:
        return None
    return Caller(_site(inner), _name(inner), any(map(is_database, packages)))


def user_line(machinery: frozenset[str]) -> Site | None:
    """Return the line of user code that makes a call itself, or by these packages only.

    Args:
        machinery: packages between user code and what is called.
    """
    for frame in frames():
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if module in RUNS_TASKS:
            return None
        if package not in machinery and package != "bgcheck":
            return _site(frame) if is_user_file(frame.f_code.co_filename) else None
    return None


def _site(frame: FrameType) -> Site:
    return Site(frame.f_code.co_filename, frame.f_lineno, _qualified(frame))


def _qualified(frame: FrameType) -> str:
    name = str(getattr(frame.f_code, "co_qualname", None) or _method(frame))
    return name.rpartition("<locals>.")[2]


def _method(frame: FrameType) -> str:
    """Find the class of a method by its first argument: Python 3.10 does not tell it."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    for kind in type(owner).__mro__:
        function = inspect.unwrap(vars(kind).get(code.co_name, _method))
        if getattr(function, "__code__", None) is code:
            return f"{kind.__qualname__}.{code.co_name}"
    return code.co_name


def _name(frame: FrameType | None) -> str | None:
    """Name a function as its users import it: `requests.get`, not `requests.api.get`."""
    if frame is None:
        return None
    function = _qualified(frame)
    module = str(frame.f_globals.get("__name__", ""))
    first = function.partition(".")[0]
    public = sys.modules.get(module.partition(".")[0])
    shown = getattr(public, "__dict__", {}).get(first)
    known = shown is not None and shown is frame.f_globals.get(first)
    return f"{module.partition('.')[0]}.{function}" if known else f"{module}.{function}"
