"""What is kept of sessions, connections and statements: text, numbers and weak references."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bgcheck.recorder.loops import current_asyncio_task, loop_number

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterator

    from bgcheck.recorder.record import ScheduledTask, Site
    from bgcheck.recorder.request import RequestInfo

_numbers = itertools.count(1)

_NAME: Final = r'["`\[]?[\w$]+["`\]]?'
_TABLE: Final = rf"(?:{_NAME}\.)*{_NAME}"
_WRITTEN: Final = re.compile(
    r"\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|MERGE\s+INTO|UPDATE|DELETE\s+FROM)\s+"
    rf"(?:ONLY\s+)?({_TABLE})",
    re.IGNORECASE,
)
_INSERTED: Final = re.compile(r"\s*INSERT\b[^(]*\(([^)]*)\)\s*VALUES\b", re.IGNORECASE)
_READ: Final = re.compile(
    r"\b(?:FROM|JOIN|UPDATE|USING)\s+([^()]*?)"
    r"(?=\b(?:FROM|JOIN|LEFT|RIGHT|INNER|OUTER|CROSS|FULL|WHERE|SET|ON|ORDER|GROUP|HAVING|LIMIT|"
    r"OFFSET|UNION|EXCEPT|INTERSECT|RETURNING|FOR)\b|[()]|$)",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(r"\?|%s|%\((\w+)\)s|(?<!:):(\w+)|\$(\d+)")
_COMPARED: Final = re.compile(r"([\w$]+)[\"`\]]?\s*(?:=|\bIN\s*\()\s*$", re.IGNORECASE)
_CONTEXT: Final = 80
_ROWS: Final = 100

Pair = tuple[str, str]
"""A column and a value, as text."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that was sent to a database.

    Attributes:
        sql: its text, without values.
        pairs: the values that it inserts, sets or compares for equality, with their columns.
        written: the table that it changes, or None.
        has_values: it has values at all.
    """

    sql: str
    pairs: frozenset[Pair]
    written: str | None
    has_values: bool

    @property
    def inserts(self) -> bool:
        """Whether it makes rows."""
        return self.written is not None and self.sql.lstrip()[:6].upper() == "INSERT"

    @property
    def read(self) -> frozenset[str]:
        """The tables that it reads, or whose rows it must find to change them."""
        names = re.findall(r"[\w$]+", " ".join(_READ.findall(self.sql)))
        return frozenset(name.lower() for name in names)

    def needs(self, write: Statement, *, earlier: bool) -> bool:
        """Whether it looks for rows that another statement makes or changes.

        Args:
            write: the other statement.
            earlier: the other one came first, so that a look at all rows is a look at its own.
        """
        if write.written not in self.read:
            return False
        return not self.pairs.isdisjoint(write.pairs) or (earlier and not self.has_values)


def statement_of(sql: str, parameters: Any) -> Statement:
    """Take what matters of a statement.

    Example:
        >>> statement_of('UPDATE shop."Orders" SET paid=? WHERE id=?', (True, 7))
        Statement(sql='UPDATE shop."Orders" SET paid=? WHERE id=?', \
pairs=frozenset({('id', '7')}), written='orders', has_values=True)
    """
    match = _WRITTEN.match(sql)
    written = match[1].rpartition(".")[2].strip('"`[]').lower() if match is not None else None
    rows = parameters if isinstance(parameters, list) else [parameters]
    inserted = _INSERTED.match(sql)
    columns = re.findall(r"[\w$]+", inserted[1]) if inserted is not None else None
    pairs = frozenset(pair for row in rows[:_ROWS] for pair in _pairs(sql, row, columns))
    return Statement(sql, pairs, written, bool(parameters))


def _pairs(sql: str, row: Any, columns: list[str] | None) -> Iterator[Pair]:
    """Yield the columns and values of one set of parameters."""
    column = ""
    for number, match in enumerate(_PLACEHOLDER.finditer(sql)):
        before = sql[max(0, match.start() - _CONTEXT) : match.start()]
        if columns is not None:
            column = columns[number % len(columns)]
        elif (compared := _COMPARED.search(before)) is not None:
            column = compared[1]
        elif not before.rstrip().endswith(","):
            column = ""
        text = value_text(_parameter(row, match, number))
        if column and text is not None:
            yield column.lower(), text


def _parameter(row: Any, match: re.Match[str], number: int) -> Any:
    name = match[1] or match[2]
    key = name or (int(match[3]) - 1 if match[3] else number)
    try:
        return row[key]
    except (LookupError, TypeError):  # the text has a question mark or a colon of its own
        return None


def value_text(value: object) -> str | None:
    """Write a value as text, or None if it tells nothing about its row.

    Example:
        >>> value_text(7), value_text("ada"), value_text(True), value_text("")
        ('7', 'ada', None, None)
    """
    if value is None or isinstance(value, (bool, bytes)) or value == "":
        return None
    return str(value)


class Origin:
    """Who made something, and where.

    Attributes:
        task: the background task, or None.
        request: the request, or None.
        stack: the lines of user code, innermost first.
        explained: a check has told of a fault that explains what else is wrong with it.
    """

    def __init__(
        self,
        task: ScheduledTask | None,
        request: RequestInfo | None,
        stack: tuple[Site, ...],
    ) -> None:
        self.task: ScheduledTask | None = task
        self.request: RequestInfo | None = request
        self.stack: tuple[Site, ...] = stack
        self.explained: bool = False

    def evidence(self, label: str) -> list[tuple[str, str | Site]]:
        """Write the stack as evidence: the innermost line, then its callers."""
        labels = itertools.chain([label], itertools.repeat("called from"))
        return list(zip(labels, self.stack, strict=False))


class SessionInfo(Origin):
    """A session, from when it was made.

    Attributes:
        number: the same for no two sessions of the process.
        scoped: a `scoped_session` made it.
        closed: who closed it last, if it was not used since.
        connection: the connection that it had last.
        writer: the task that put objects into it since it was closed last.
        commit_in_sight: a function that wrote by it or closed it mentions `commit`.
    """

    def __init__(
        self,
        task: ScheduledTask | None,
        request: RequestInfo | None,
        stack: tuple[Site, ...],
        *,
        scoped: bool,
    ) -> None:
        super().__init__(task, request, stack)
        self.number: int = next(_numbers)
        self.scoped: bool = scoped
        self.closed: Origin | None = None
        self.connection: ConnectionInfo | None = None
        self.writer: ScheduledTask | None = None
        self.commit_in_sight: bool = False


class ConnectionInfo(Origin):
    """A connection, from when it was taken from its pool until it is returned.

    Attributes:
        number: the same for no two connections.
        pool: the same for connections of one pool, while it lives.
        url: the database, without password.
        dialect: such as `sqlite`.
        is_async: its driver belongs to an event loop.
        session: the session that uses it, or None.
        thread: the id of the thread that took it.
        asyncio_task: the asyncio task that took it, or None.
        loop: the number of the loop where it was taken.
        born_on: the number of the loop where it was made.
        pool_loops: the loops where connections of its pool were taken before.
        returned: it is back in its pool.
        collected: the garbage collector brought it back.
        live: the pooled connection.
        statements: how many statements it has sent.
        in_transaction: a transaction is open.
        commit_in_sight: a function that wrote by it mentions `commit`.
        writes: what it changed, and nobody has committed yet, with the task that did so.
    """

    def __init__(
        self,
        task: ScheduledTask | None,
        request: RequestInfo | None,
        stack: tuple[Site, ...],
        *,
        pool: int,
        url: str,
        dialect: str,
        is_async: bool,
        born_on: int | None,
    ) -> None:
        super().__init__(task, request, stack)
        self.number: int = next(_numbers)
        self.pool: int = pool
        self.url: str = url
        self.dialect: str = dialect
        self.is_async: bool = is_async
        self.session: SessionInfo | None = None
        self.thread: int = threading.get_ident()
        self.asyncio_task: weakref.ref[Any] | None = current_asyncio_task()
        self.loop: int | None = loop_number()
        self.born_on: int | None = born_on
        self.pool_loops: frozenset[int] = frozenset()
        self.returned: bool = False
        self.collected: bool = False
        self.live: weakref.ref[Any] | None = None
        self.statements: int = 0
        self.in_transaction: bool = False
        self.commit_in_sight: bool = False
        self.writes: list[tuple[Statement, ScheduledTask | None]] = []

    @property
    def is_open(self) -> bool:
        """Whether it is still taken."""
        return not self.returned and not self.collected

    @property
    def made_in_request(self) -> bool:
        """Whether its session, or where there is none the connection, was made in a request."""
        return (self.session or self).request is not None
