"""BGC-DB: sessions and connections, on success, failure and cancellation."""

from collections.abc import Callable, Iterator
from typing import Any

from bgcheck_suites.events import Contradiction
from bgcheck_suites.marks import NotApplicable

from .faulting import Faulty, all_faults
from .findings import require_none
from .state import engines, is_async, is_ignored
from .subject import Subject
from .trial import Trial, trial

CLOSED = ("BG401", "BG402")
HELD = ("BG405", "BG406", "BG407")
CONCURRENT = ("BG404",)
IDLE = (
    "SELECT count(*) FROM pg_stat_activity WHERE pid IN :backends "
    "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
)
"""Asks for the app's own backends: other processes may use the same server."""


def _watched(made: Trial) -> list[Any]:
    """Return the engines to look at.

    Raises NotApplicable where there is none.
    """
    found = [e for e in engines(made) if not is_ignored(e, made)]
    if not found:
        raise NotApplicable("no SQLAlchemy engine was used by the request")
    return found


def sessions_closed(subject: Subject) -> None:
    """BGC-DB-01: count the connections of pool and server before and after each fault."""
    with trial(subject, *CLOSED) as made:
        made.discover_twice()
        found = _watched(made)
        first = _counts(made, found)
        _require_returned(made, first, "its tasks succeed")
        for faulty in _once_and(made.send, all_faults(made, made.functions)):
            _require_returned(made, first, faulty)


def _once_and(send: Callable[[], object], faults: Iterator[Faulty]) -> Iterator[str]:
    send()
    yield "its tasks succeed again"
    for faulty in faults:
        yield faulty.fault


def _require_returned(made: Trial, first: dict[str, int], after: str) -> None:
    require_none(_counted(made), CLOSED, after=after)
    now = _counts(made, _watched(made))
    for name, count in now.items():
        if count > first.get(name, 0):
            raise Contradiction(
                f"A connection is not back where {after}.",
                f"{name}: {first.get(name, 0)} before, {count} now",
            )


def _counted(made: Trial) -> list[Any]:
    """Return the findings, without those on engines that the adopter does not want looked at."""
    ignored = {
        getattr(one, "sync_engine", one).url.render_as_string(hide_password=True)
        for one in made.subject.ignore_engines
    }
    return [f for f in made.findings() if dict(f.evidence).get("database") not in ignored]


def _counts(made: Trial, found: list[Any]) -> dict[str, int]:
    """Count what is taken from each pool, and what the server sees idle in a transaction."""
    counts = {}
    for engine in found:
        name = engine.url.render_as_string(hide_password=True)
        if hasattr(engine.pool, "checkedout"):
            counts[f"taken from the pool of {name}"] = int(engine.pool.checkedout())
        if engine.dialect.name == "postgresql":
            counts[f"idle in transaction on {name}"] = _idle(made, engine)
    return counts


def _idle(made: Trial, engine: Any) -> int:
    from sqlalchemy import bindparam, text

    backends: Any = bindparam("backends", sorted(made.witness.backends), expanding=True)
    query = text(IDLE).bindparams(backends)
    if not is_async(engine):
        with engine.connect() as connection:
            return int(connection.scalar(query))
    from sqlalchemy.ext.asyncio import AsyncEngine

    async def ask() -> int:
        async with AsyncEngine(engine).connect() as connection:
            return int(await connection.scalar(query))

    return int(made.client.run(ask))


def connections_not_held(subject: Subject) -> None:
    """BGC-DB-02: watch each connection while its task does something else."""
    with trial(subject, *HELD) as made:
        made.discover()
        _watched(made)
        require_none(_counted(made), HELD)


def session_not_shared(subject: Subject) -> None:
    """BGC-DB-03: watch who uses each session, in one request and in two that overlap."""
    with trial(subject, *CONCURRENT) as made:
        made.discover()
        _watched(made)
        made.begin()
        made.begin()
        made.drain()
        require_none(_counted(made), CONCURRENT)
