"""Ask a PostgreSQL server what one of its backends does, by a short connection of its own."""

from __future__ import annotations

import importlib
from contextlib import closing
from typing import Any, Final

_DRIVERS: Final = ("psycopg", "psycopg2")
_QUERY: Final = "SELECT state FROM pg_stat_activity WHERE pid = %s"


def backend_of(fairy: Any) -> int | None:
    """Return the process id of the server's side of a pooled connection, if its driver tells."""
    driver = fairy.driver_connection
    for name in ("get_server_pid", "get_backend_pid"):  # asyncpg, psycopg2
        ask = getattr(driver, name, None)
        if ask is not None:
            return int(ask())
    pid = getattr(getattr(driver, "info", None), "backend_pid", None)  # psycopg
    return int(pid) if pid is not None else None


def state_of(url: Any, pid: int) -> str | None:
    """Return the state of a backend, such as `idle in transaction`; None if nobody can be asked.

    Args:
        url: the URL of SQLAlchemy's engine, whatever its driver.
        pid: the backend.
    """
    for name in _DRIVERS:
        try:
            driver = importlib.import_module(name)
        except ImportError:
            continue
        arguments = {**url.query, **url.translate_connect_args(username="user", database="dbname")}
        with closing(driver.connect(**arguments)) as connection, connection.cursor() as cursor:
            cursor.execute(_QUERY, (pid,))
            row = cursor.fetchone()
            return None if row is None else str(row[0])
    return None
